"""The error on a finite set of images, from a stratified sample of them.

Before, it is known which images are wrong. Some of them become right, and some of the others
wrong: two strata, of each of which a random sample was looked at. In each, Wilson's score interval
gives the limits of the share that changed, for a sample whose size is corrected for what is left to
draw from: with half of the images known it counts twice, with all of them the interval is a
point. The limits of the difference of both follow by squaring and adding (Newcombe 1998, Statistics
in Medicine 17, 873, method 10; for any limits: Zou and Donner 2008, Statistics in Medicine 27,
1693). They hold where few or no images changed.

All ends are integer numbers of images, rounded outwards: of a small set, a few images of which
are left, a limit between two numbers would leave out the larger one.
"""

import math
from typing import NamedTuple

import numpy as np

from residual_ensembles.statistics.intervals import wilson

_ROUNDING = 1e-9
"""Rounding error of a computed number of images, at most."""


class Stratum(NamedTuple):
    """Images of one kind, some of which are known."""

    n_changed: int
    """Images of the sample that changed."""
    n_known: int
    """Images of the sample."""
    n: int

    @property
    def estimate(self) -> float:
        """Estimated number of images of the stratum that change."""
        if self.n_known == self.n:
            return float(self.n_changed)
        return self.n_changed / self.n_known * self.n if self.n_known else 0.0

    def limits(self, confidence: float) -> tuple[int, int]:
        """Returns the interval of how many images of the stratum change."""
        left = self.n - self.n_known
        most = self.n_changed + left  # what the sample has shown is certain
        if not left or not self.n_known:
            return self.n_changed, most
        weight = (self.n - 1) / left
        low, high = wilson(self.n_changed * weight, self.n_known * weight, confidence)
        return max(_down(low * self.n), self.n_changed), min(_up(high * self.n), most)


class Changes(NamedTuple):
    """Counts, in a sample, of the images that became wrong and of those that became right."""

    made_wrong: Stratum
    """Images that were right before."""
    made_right: Stratum
    """Images that were wrong before."""

    @property
    def n(self) -> int:
        """Number of all images."""
        return self.made_wrong.n + self.made_right.n

    @property
    def n_known(self) -> int:
        """Number of images in the sample."""
        return self.made_wrong.n_known + self.made_right.n_known

    @property
    def effective_sample_size(self) -> float:
        """Images that are left if the stratum that was drawn more often is thinned to its share.

        The sample says at least as much as so many images drawn uniformly from both strata. A
        stratum that is so rare that none of it was drawn counts as unchanged, and for no image.
        """
        of_each = [self.n * s.n_known / s.n for s in self if s.n_known]
        return min([*of_each, float(self.n_known)])

    def equivalent_counts(self) -> tuple[float, float]:
        """Returns the images of the effective sample that were made wrong, and right."""
        share = self.effective_sample_size / self.n
        return self.made_wrong.estimate * share, self.made_right.estimate * share


def changes(wrong: np.ndarray, known: np.ndarray, before: np.ndarray) -> Changes:
    """Counts what changed in a sample of images.

    Args:
        wrong: Booleans `(n_images,)`: whether each is wrong now; read where known.
        known: Booleans `(n_images,)`: the sample, random among the images that were right and
            among those that were wrong.
        before: Booleans `(n_images,)`: which were wrong before.
    """

    def stratum(changed: np.ndarray, members: np.ndarray) -> Stratum:
        seen = known & members
        return Stratum(int((changed & seen).sum()), int(seen.sum()), int(members.sum()))

    return Changes(stratum(wrong, ~before), stratum(~wrong, before))


class FiniteInterval(NamedTuple):
    """An error on a finite set of images, with its interval; fractions."""

    error: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the distance between the ends."""
        return (self.high - self.low) / 2


def error_after(result: Changes, confidence: float = 0.95) -> FiniteInterval:
    """Returns the error on all images after some have changed, and its interval.

    Example:
        >>> error_after(Changes(Stratum(3, 200, 940), Stratum(0, 30, 60)))
        FiniteInterval(error=0.0741, low=0.064, high=0.097)
    """
    worse, better = (stratum.estimate for stratum in result)
    (fewest_worse, most_worse), (fewest_better, most_better) = (
        stratum.limits(confidence) for stratum in result
    )
    change = worse - better
    low = _down(change - math.hypot(worse - fewest_worse, most_better - better))
    high = _up(change + math.hypot(most_worse - worse, better - fewest_better))
    low, high = max(low, fewest_worse - most_better), min(high, most_worse - fewest_better)
    ends = (result.made_right.n + each for each in (change, low, high))
    return FiniteInterval(*(each / result.n for each in ends))


def _down(number: float) -> int:
    return math.floor(number + _ROUNDING)


def _up(number: float) -> int:
    return math.ceil(number - _ROUNDING)
