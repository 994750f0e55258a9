"""The tidy table of a study: one row for each lesion."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from residual_ensembles.analysis.wilson import wilson
from residual_ensembles.lesions.plans import PlannedLesion

COLUMNS = (
    "network",
    "seed",
    "sweep",
    "draw",
    "lesion",
    "n_operations",
    "kendall_tau",
    "n_images",
    "n_wrong",
    "error_fraction",
    "error_low",
    "error_high",
)


def lesion_table(
    network: str,
    seed: int,
    plan: Sequence[PlannedLesion],
    n_modules: int,
    predictions: np.ndarray,
    labels: np.ndarray,
) -> pd.DataFrame:
    """Returns the rows of one network, in the order of its plan.

    `error_low` and `error_high` are Wilson's 95 % interval for the population that the pictures
    are a sample of.

    Args:
        network: Name of the network in the study.
        seed: That it was trained with.
        plan: Its lesions.
        n_modules: How many modules it has.
        predictions: Classes `(n_lesions, n_pictures)`.
        labels: True classes `(n_pictures,)`.

    Raises:
        ValueError: There are not as many rows of predictions as lesions, or not as many columns as
            labels.
    """
    expected = (len(plan), len(labels))
    if predictions.shape != expected:
        raise ValueError(
            f"Received predictions of shape {predictions.shape}, expected {expected}: one row for "
            "each lesion of the plan, one column for each picture."
        )
    n_wrong = (predictions != labels).sum(axis=1)
    rows = []
    for (sweep, draw, lesion), wrong in zip(plan, n_wrong.tolist(), strict=True):
        low, high = wilson(wrong, len(labels))
        rows.append(
            (
                network,
                seed,
                sweep,
                draw,
                str(lesion),
                lesion.n_operations,
                lesion.kendall_tau(n_modules),
                len(labels),
                wrong,
                wrong / len(labels),
                low,
                high,
            )
        )
    return pd.DataFrame(rows, columns=COLUMNS)
