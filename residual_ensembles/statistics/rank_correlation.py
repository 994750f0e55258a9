"""Agreement of orders: Kendall's tau and Spearman's rho."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import kendalltau, rankdata


def kendall_tau(order: Sequence[float]) -> float:
    """Returns Kendall's tau between an order and the sorted one: 1 untouched, -1 reversed.

    Args:
        order: What stands at each position, for instance `[1, 3, 2]` after one swap. Two or more.

    Example:
        >>> kendall_tau([1, 2, 3]), round(kendall_tau([1, 3, 2]), 4)
        (1.0, 0.3333)
    """
    return float(kendalltau(np.arange(len(order)), order).statistic)


def spearman(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> float:
    """Returns Spearman's rank correlation; NaN where one of the two does not vary.

    Example:
        >>> spearman([1, 2, 3], [10, 30, 20])
        0.5
    """
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    # What scipy.stats.spearmanr returns, without the p-value that takes most of its time.
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])
