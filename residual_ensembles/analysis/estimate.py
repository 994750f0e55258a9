"""A measured number with its interval and what both rest on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from residual_ensembles.analysis.intervals import student


@dataclass(frozen=True)
class Estimate:
    """A number, its 95 % interval, and what the interval is over.

    Attributes:
        value: The number itself.
        low: Lower end of the interval, NaN where there is none.
        high: Upper end.
        n: How many of `over` there are.
        over: pictures, draws, batches or modules (then the interval is conditional on the network
            at hand), seeds (then it speaks for the way of training), exact, or point (a
            number on pictures that has no interval; its ends are the number itself).
    """

    value: float
    low: float
    high: float
    n: int | None
    over: str


def exact(value: float) -> Estimate:
    """Returns a number that was computed in closed form and has no interval to speak of."""
    return Estimate(float(value), float(value), float(value), None, "exact")


def over_seeds(estimates: Sequence[Estimate]) -> Estimate | None:
    """Joins the estimates of a network's seeds.

    Args:
        estimates: One per seed.

    Returns:
        With one seed, its own estimate, conditional on that network; with more, their mean with
        Student's interval over seeds; None without any.
    """
    estimates = [e for e in estimates if not math.isnan(e.value)]
    if not estimates:
        return None
    if len(estimates) == 1:
        return estimates[0]
    values = [e.value for e in estimates]
    return Estimate(float(np.mean(values)), *student(values), len(values), "seeds")


def over_draws(values: Sequence[float]) -> Estimate:
    """Returns the mean of independent draws with Student's interval."""
    return Estimate(float(np.mean(values)), *student(values), len(values), "draws")
