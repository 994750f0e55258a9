"""Intervals of statistics that no formula covers, over many draws."""

import math
from collections.abc import Callable

import numpy as np

from residual_ensembles.randomness import generator

N_RESAMPLES = 999
"""Enough for a stable 95 % interval, and odd, so that its ends are values that occurred."""


def bootstrap(
    statistic: Callable[[np.ndarray], float],
    rows: np.ndarray,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Returns the percentile bootstrap interval of `statistic(rows)`.

    For draws, of which there are dozens; three seeds are too few, use `student` for those.

    Args:
        statistic: Takes an array like `rows` and returns a number.
        rows: One row per independent draw.
        confidence: Level of the two-sided interval.
        seed: The resampling is a function of it.

    Returns:
        Lower and upper end; both NaN with fewer than two rows. Resamples for which the statistic
        is NaN are left out.
    """
    if len(rows) < 2:
        return math.nan, math.nan
    random = generator(seed, "bootstrap")
    values = [
        statistic(rows[random.integers(len(rows), size=len(rows))]) for _ in range(N_RESAMPLES)
    ]
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return math.nan, math.nan
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
