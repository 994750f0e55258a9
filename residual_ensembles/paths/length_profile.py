"""Gradient by path length: exponential decay, and the range of effective lengths."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import linregress, norm, t

from residual_ensembles.arguments import checked

PAPER_N = 54
"""Modules of the paper's ResNet-110."""
EFFECTIVE = (5, 17)
"""Smallest and largest length, in modules, of the paper's effective paths (section 4.2)."""


class LogLinearFit(NamedTuple):
    """Least-squares line of log10(norm) against length, with intervals."""

    slope: float
    """Change of log10(norm) per module; 10 to this power is the factor per module."""
    slope_low: float
    slope_high: float
    intercept: float
    r_squared: float
    """Share of the variance of log10(norm) that the line explains."""
    r_squared_low: float
    r_squared_high: float
    n: int
    """Number of points."""


@checked
def log_linear(
    lengths: Sequence[float], log10_norms: Sequence[float] | np.ndarray, confidence: float = 0.95
) -> LogLinearFit:
    """Fits exponential decay: `log10(norm) = intercept + slope * length` by least squares.

    The interval of the slope is Student's, that of R² Fisher's (through the correlation); both
    assume independent lengths.

    Args:
        lengths: Path lengths in modules, four different ones or more.
        log10_norms: Base-10 logarithm of the gradient's norm at each.
        confidence: Level of the two-sided intervals.

    Raises:
        ValueError: There are too few points for an interval.

    Example:
        >>> fit = log_linear([1, 2, 3, 4], [-1.0, -2.1, -2.9, -4.0])
        >>> round(fit.slope, 2), round(fit.r_squared, 3)
        (-0.98, 0.996)
    """
    x, y = np.asarray(lengths, float), np.asarray(log10_norms, float)
    if len(x) != len(y):
        raise ValueError(f"Received {len(x)} lengths and {len(y)} log10_norms, expected as many.")
    finite = np.isfinite(y)
    x, y = x[finite], y[finite]
    n = len(x)
    if len(np.unique(x)) < 4:
        raise ValueError(
            f"Received lengths of which {len(np.unique(x))} have finite log10_norms, expected at "
            "least 4: sample more path lengths."
        )
    line = linregress(x, y)
    half = t.ppf((1 + confidence) / 2, n - 2) * line.stderr
    # Fisher's z of a perfect correlation is infinite; the largest double below 1 is near enough.
    z = math.atanh(min(abs(line.rvalue), 1 - 1e-16))
    spread = norm.ppf((1 + confidence) / 2) / math.sqrt(n - 3)
    low, high = math.tanh(max(z - spread, 0.0)) ** 2, math.tanh(z + spread) ** 2
    return LogLinearFit(
        slope=float(line.slope),
        slope_low=float(line.slope - half),
        slope_high=float(line.slope + half),
        intercept=float(line.intercept),
        r_squared=float(line.rvalue**2),
        r_squared_low=float(low),
        r_squared_high=float(high),
        n=n,
    )


@checked
def effective_range(amounts: Sequence[float] | np.ndarray, share: float = 0.95) -> tuple[int, int]:
    """Returns the shortest range of lengths with at least `share` of the total amount.

    Among equally short ranges it is the one with the largest amount, then the one of shorter paths.
    Section 4.2 of the paper reads such a range, 5 to 17, off Fig. 6 (c).

    Args:
        amounts: Amount of gradient of each length from 0, `(lengths,)`. Amounts may be negative
            (projections are), but not their sum.
        share: Share of the total, above 0 and up to 1.

    Returns:
        Smallest and largest length, both included.

    Raises:
        ValueError: The amounts have no positive sum, or the share is out of range.

    Example:
        >>> effective_range([1, 20, 60, 15, 4])
        (1, 3)
    """
    amounts = np.asarray(amounts, float)
    total = amounts.sum()
    if not (np.all(np.isfinite(amounts)) and total > 0 and 0 < share <= 1):
        raise ValueError(
            f"effective_range got a share of {share} and amounts that add up to {total}; expected "
            "a share above 0 and up to 1, and finite amounts with a positive sum."
        )
    cumulative = np.concatenate([[0.0], np.cumsum(amounts)])
    enough = share * total * (1 - 1e-12)  # rounding must not lengthen a range
    for width in range(1, len(amounts) + 1):
        carried = cumulative[width:] - cumulative[:-width]
        best = int(np.argmax(carried))
        if carried[best] >= enough:
            return best, best + width - 1
    return 0, len(amounts) - 1
