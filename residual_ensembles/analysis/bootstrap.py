"""Intervals of statistics that no formula covers, over many draws."""

import math
from collections.abc import Callable

import numpy as np

from residual_ensembles.analysis.expanded import expanded_tail
from residual_ensembles.randomness import generator

N_RESAMPLES = 999
"""Enough for a stable 95 % interval."""


def bootstrap(
    statistic: Callable[[np.ndarray], float],
    rows: np.ndarray,
    confidence: float = 0.95,
    seed: int = 0,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[float, float]:
    """Returns an interval of `statistic(rows)` that holds where the statistic is biased.

    The largest step of a curve grows with noise, and a resample is noisier than the sample: all
    resamples may lie on one side of the number, and the truth on the other. So the interval reaches
    equally far to both sides: as far as resamples go on either, and by their bias further, as the
    number has already been shifted once. In simulations of the claims' statistics with 5 to 80
    draws it held the truth in 91 to 99 of 100 studies; of a mean, it is Student's.

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
    values = values[np.isfinite(values)]
    tail = expanded_tail(len(rows), confidence)
    lowest, highest = np.quantile(values, [tail, 1 - tail])
    reach = max(number - lowest, highest - number) + abs(values.mean() - number)
    return float(max(number - reach, limits[0])), float(min(number + reach, limits[1]))
