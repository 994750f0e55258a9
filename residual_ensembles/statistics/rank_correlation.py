"""Agreement of orders: Kendall's tau and Spearman's rho."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import kendalltau, rankdata


def kendall_tau(order: Sequence[float]) -> float:
    """Returns Kendall's tau between an order and the sorted one: 1 untouched, -1 reversed.

    Args:
        order: What stands at each position, for instance `[1, 3, 2]` after one swap. Two or more.
    """
    return float(kendalltau(np.arange(len(order)), order).statistic)


def spearman(x: Sequence[float], y: Sequence[float]) -> float:
    """Returns Spearman's rank correlation; NaN where one of the two does not vary."""
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    # What scipy.stats.spearmanr returns, without the p-value that takes most of its time.
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])
