"""Exponential decay, seen as a straight line on a logarithmic axis."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import linregress, norm, t


class LogLinearFit(NamedTuple):
    """A line through log10(norm) against length."""

    slope: float
    """Change of log10(norm) for one module more; 10 to this power is the factor per module."""
    slope_low: float
    slope_high: float
    intercept: float
    r_squared: float
    """Share of the variance of log10(norm) that the line explains."""
    r_squared_low: float
    r_squared_high: float
    n: int
    """Points the line was fitted to."""


def log_linear(
    lengths: Sequence[float], log10_norms: Sequence[float], confidence: float = 0.95
) -> LogLinearFit:
    """Fits `log10(norm) = intercept + slope * length` by least squares.

    The interval of the slope is Student's, that of R² Fisher's (through the correlation); both take
    the lengths for independent measurements.

    Args:
        lengths: Path lengths in modules, four different ones or more.
        log10_norms: Base-10 logarithm of the gradient's norm at each.
        confidence: Level of the two-sided intervals.

    Raises:
        ValueError: There are too few points for an interval.
    """
    lengths, log10_norms = np.asarray(lengths, float), np.asarray(log10_norms, float)
    finite = np.isfinite(log10_norms)
    lengths, log10_norms = lengths[finite], log10_norms[finite]
    n = len(lengths)
    if len(np.unique(lengths)) < 4:
        raise ValueError(
            f"log_linear got {len(np.unique(lengths))} lengths with a finite norm; expected at "
            "least 4. Sample more path lengths."
        )
    line = linregress(lengths, log10_norms)
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
