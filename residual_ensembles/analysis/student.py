"""The interval of a mean over a few independent repetitions: seeds, or draws."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import t


def student(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Returns Student's interval of the mean of the population the values come from.

    Args:
        values: One number per repetition.
        confidence: Level of the two-sided interval.

    Returns:
        Lower and upper end; both are NaN with fewer than two values, which say nothing of spread.
    """
    values = np.asarray(values, float)
    if len(values) < 2:
        return math.nan, math.nan
    half = (
        t.ppf((1 + confidence) / 2, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    )
    return float(values.mean() - half), float(values.mean() + half)
