"""Agreement of orders: Kendall's tau and Spearman's rho."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
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


def spearman(x: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Returns Spearman's rank correlation; NaN where one of the two does not vary.

    Args:
        x: Numbers `(..., n)`, of which each row is correlated with its row of `y`.
        y: The same.

    Example:
        >>> float(spearman([1, 2, 3], [10, 30, 20]))
        0.5
    """
    # What scipy.stats.spearmanr returns, of many samples at once and without p-values.
    a, b = _centered_ranks(x), _centered_ranks(y)
    with np.errstate(invalid="ignore"):  # 0 / 0
        return (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))


def _centered_ranks(x: ArrayLike) -> np.ndarray:
    ranks = rankdata(x, axis=-1)
    return ranks - ranks.mean(axis=-1, keepdims=True)
