"""The tables of a study: a row for each lesion, and a row on their exactness for each network."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from residual_ensembles.arguments import checked
from residual_ensembles.lesions.evaluation import Evaluation
from residual_ensembles.lesions.exactness.sequential_sampling import finite_interval
from residual_ensembles.lesions.plans import PlannedLesion
from residual_ensembles.statistics.finite_population import changes
from residual_ensembles.statistics.intervals import wilson
from residual_ensembles.storage.columns import LESION_COLUMNS, ON_IMAGES, UNKNOWN

COLUMNS = (*LESION_COLUMNS, *ON_IMAGES)


@checked
def lesion_table(
    network: str,
    seed: int,
    plan: Sequence[PlannedLesion],
    n_modules: int,
    predictions: np.ndarray,
    labels: np.ndarray,
    intact: np.ndarray | None = None,
) -> pd.DataFrame:
    """Returns the rows of one network, in the order of its plan.

    There are two intervals of 95 %. `error_low` and `error_high` are Wilson's, for the population
    that the images are a sample of. `error_on_images_low` and `error_on_images_high` are about
    the given images and nothing else: a point where all of them were evaluated, and where some
    were, the interval that `sequential_sampling.finite_interval` says holds for all. Among these
    images, those that the intact network gets wrong are more frequent: `error_fraction` and both
    intervals weigh them, and `n_wrong` of `n_images` is not the error.

    Args:
        network: Name of the network in the study.
        seed: Seed that the network was trained with.
        plan: Lesions of the network, in the order of the rows.
        n_modules: Number of its modules.
        predictions: Classes `(n_lesions, n_images)`; `storage.columns.UNKNOWN` where not
            evaluated.
        labels: True classes `(n_images,)`.
        intact: Classes that the intact network predicts, `(n_images,)`; needed where predictions
            are unknown.

    Raises:
        ValueError: There are not as many rows of predictions as lesions, or not as many columns as
            labels; or predictions are unknown and there are no intact ones.

    Example:
        >>> from residual_ensembles.lesions import intact, single_deletions
        >>> plan = intact() + single_deletions([1])
        >>> predictions = np.array([[0, 1, 2, 3], [0, 1, 0, 0]])
        >>> labels = np.array([0, 1, 2, 0])
        >>> table = lesion_table("mine", 0, plan, 1, predictions, labels)
        >>> table[["lesion", "n_images", "n_wrong"]].values.tolist()
        [['intact', 4, 1], ['delete 1', 4, 1]]
    """
    predictions, expected = np.asarray(predictions), (len(plan), len(labels))
    if predictions.shape != expected:
        raise ValueError(
            f"Received predictions of shape {predictions.shape} for plan and labels of {expected}, "
            "expected a row for each lesion of the plan and a column for each label."
        )
    known = predictions != UNKNOWN
    if intact is None and not known.all():
        raise ValueError(
            "Received predictions of some images only and no intact ones, expected what the "
            "intact network predicts for all images."
        )
    intact_wrong = np.zeros(len(labels), bool) if intact is None else intact != labels
    rows = []
    for (sweep, draw, lesion), row, seen in zip(plan, predictions, known, strict=True):
        wrong = row != labels
        n_images, n_wrong = int(seen.sum()), int((wrong & seen).sum())
        on_images = finite_interval(wrong, seen, intact_wrong)
        n_effective = changes(wrong, seen, intact_wrong).effective_sample_size
        rows.append(
            (
                network,
                seed,
                sweep,
                draw,
                str(lesion),
                lesion.n_operations,
                lesion.kendall_tau(n_modules),
                n_images,
                n_wrong,
                on_images.error,
                *wilson(on_images.error * n_effective, n_effective),
                on_images.low,
                on_images.high,
            )
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def exactness_row(evaluation: Evaluation, precision: str) -> dict:
    """Returns a row of exactness.csv.

    Of all predictions: `n_close` with two best logits closer than `rounding`, a share of the
    largest. Of `n_compared` predictions of a sample: `n_different` from the reference, of these
    `n_unexplained` by rounding, and the largest difference of logits. Of `n_rounded`, another
    sample: `n_changed` by bfloat16. In a cascade: `n_reevaluated` in float32, and of these
    `n_threshold_violations`, which rounded more than the threshold.
    """
    agreement, bfloat16 = evaluation.agreement, evaluation.bfloat16
    n_lesions, n_images = evaluation.predictions.shape
    return {
        "precision": precision,
        "n_lesions": n_lesions,
        "n_images": n_images,
        "n_predictions": int((evaluation.predictions != UNKNOWN).sum()),
        "n_close": int(evaluation.n_close.sum()),
        "rounding": evaluation.rounding,
        "n_compared": agreement.n,
        "n_different": agreement.n_different,
        "n_unexplained": agreement.n_unexplained,
        "largest_relative_difference": agreement.largest_relative_difference,
        "n_rounded": 0 if bfloat16 is None else bfloat16.n,
        "n_changed": 0 if bfloat16 is None else bfloat16.n_changed,
        "n_reevaluated": int(evaluation.n_reevaluated.sum()),
        "n_threshold_violations": int(evaluation.n_threshold_violations.sum()),
    }


@checked
def summary(evaluation: Evaluation, precision: str = "float32") -> str:
    """Returns the exactness of an evaluation as text, and its memory if anything was computed.

    Example:
        >>> from residual_ensembles.lesions import Lesion, evaluate
        >>> result = evaluate(chain, [Lesion(), Lesion(deletions=[2])], images)
        >>> summary(result).partition(" with")[0]
        '0 of 8 predictions'
    """
    result, agreement = exactness_row(evaluation, precision), evaluation.agreement
    parts = [
        "{n_close} of {n_predictions} predictions with logits closer than {rounding:.2g} of the "
        "largest",
        "{n_different} of {n_compared} differ from the reference on a sample, logits by at most "
        "{largest_relative_difference:.1e}",
    ]
    if agreement.self_noise:
        parts.append(f"the network itself turns rounding into {agreement.self_noise:.1e}")
    if result["n_unexplained"]:
        parts.append("{n_unexplained} of these differ by more than rounding explains")
    if result["n_rounded"]:
        parts.append("bfloat16 changes {n_changed} of {n_rounded} on a sample")
    if result["n_reevaluated"]:
        parts.append(
            "{n_reevaluated} reevaluated in float32, of which {n_threshold_violations} rounded "
            "more than the threshold"
        )
    return "; ".join(parts).format(**result)
