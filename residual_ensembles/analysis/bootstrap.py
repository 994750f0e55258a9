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
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[float, float]:
    """Returns the basic bootstrap interval of `statistic(rows)`.

    Basic and not percentile: the largest step of a curve grows with noise, and a resample is
    noisier than the sample, so that percentiles would lie above the truth in nearly every study.
    The basic interval turns the deviations round the number. It is widened to hold the number.

    For draws, of which there are dozens; three seeds are too few, use `student` for those.

    Args:
        statistic: Takes an array like `rows` and returns a number.
        rows: One row per independent draw.
        confidence: Level of the two-sided interval.
        seed: The resampling is a function of it.
        limits: Values that the statistic cannot leave.

    Returns:
        Lower and upper end; both NaN with fewer than two rows, or where the statistic is. Resamples
        for which it is NaN are left out.
    """
    number = statistic(rows)
    if len(rows) < 2 or not math.isfinite(number):
        return math.nan, math.nan
    random = generator(seed, "bootstrap")
    values = [
        statistic(rows[random.integers(len(rows), size=len(rows))]) for _ in range(N_RESAMPLES)
    ]
    values = np.asarray(values, float)
    tail = (1 - confidence) / 2
    lowest, highest = np.quantile(values[np.isfinite(values)], [tail, 1 - tail])
    low = min(max(2 * number - highest, limits[0]), number)
    high = max(min(2 * number - lowest, limits[1]), number)
    return float(low), float(high)
