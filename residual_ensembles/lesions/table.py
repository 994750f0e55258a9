"""The tidy table of a study: one row for each lesion."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from residual_ensembles.analysis.columns import LESION_COLUMNS, ON_IMAGES
from residual_ensembles.analysis.finite import changes
from residual_ensembles.analysis.intervals import wilson
from residual_ensembles.lesions.margin import UNKNOWN, finite_interval
from residual_ensembles.lesions.plans import PlannedLesion

COLUMNS = (*LESION_COLUMNS, *ON_IMAGES)


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
    that the pictures are a sample of. `error_on_images_low` and `error_on_images_high` are about
    the given pictures and nothing else: a point where all of them were evaluated, and where some
    were, the interval that `margin.finite_interval` says holds for all. Among these some, pictures
    that the intact network gets wrong are more frequent: `error_fraction` and both intervals weigh
    them, and `n_wrong` of `n_images` is not the error.

    Args:
        network: Name of the network in the study.
        seed: That it was trained with.
        plan: Its lesions.
        n_modules: How many modules it has.
        predictions: Classes `(n_lesions, n_pictures)`; `margin.UNKNOWN` where not evaluated.
        labels: True classes `(n_pictures,)`.
        intact: What the intact network predicts, `(n_pictures,)`; needed where predictions are
            unknown.

    Raises:
        ValueError: There are not as many rows of predictions as lesions, or not as many columns as
            labels; or predictions are unknown and the intact ones are not given.
    """
    expected = (len(plan), len(labels))
    if predictions.shape != expected:
        raise ValueError(
            f"Received predictions of shape {predictions.shape}, expected {expected}: one row for "
            "each lesion of the plan, one column for each picture."
        )
    known = predictions != UNKNOWN
    if intact is None and not known.all():
        raise ValueError(
            "Received predictions of some pictures only and no intact ones, expected what the "
            "intact network predicts for all pictures."
        )
    intact_wrong = np.zeros(len(labels), bool) if intact is None else intact != labels
    rows = []
    for (sweep, draw, lesion), row, seen in zip(plan, predictions, known, strict=True):
        wrong = row != labels
        n_images, n_wrong = int(seen.sum()), int((wrong & seen).sum())
        given = finite_interval(wrong, seen, intact_wrong)
        alike = changes(wrong, seen, intact_wrong).n_alike
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
                given.error,
                *wilson(given.error * alike, alike),
                given.low,
                given.high,
            )
        )
    return pd.DataFrame(rows, columns=COLUMNS)
