"""An error as exactly as needed, from as few pictures as that takes.

The intact network is known on all pictures, so a lesion's error is the intact one plus what
changed: pictures that became wrong less those that became right. Only these discordant pictures
have to be estimated, and there are few of them. They are sought in a sample that grows until the
interval of the error *on the given pictures* is narrow enough.
"""

from typing import NamedTuple

import numpy as np

from residual_ensembles.analysis.paired import difference_interval
from residual_ensembles.randomness import generator

FIRST_ROUND = 416
"""Smallest sample: without a discordant picture in it, the interval is one point either way."""
ROUND = 128
"""Pictures by which a sample grows."""
LEVEL = 0.96
"""Level of the single interval. Looking again and again, and stopping when it is narrow, costs up
to one percent of coverage; with this, 95 % are left (simulated in the tests)."""
UNKNOWN = -1
"""Prediction of a picture that was not evaluated."""


def check_margin(margin: float) -> None:
    """Refuses a margin that is not between 0 and 1.

    Raises:
        ValueError: It is not.
    """
    if not 0.0 < margin < 1.0:
        raise ValueError(
            f"Received error_margin={margin}, expected a fraction between 0 and 1, such as 0.01 "
            "for one point either way."
        )


class FiniteInterval(NamedTuple):
    """An error on the given pictures, all of which could be evaluated."""

    error: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of what lies between the ends."""
        return (self.high - self.low) / 2


def finite_interval(
    wrong: np.ndarray, known: np.ndarray, intact_wrong: np.ndarray
) -> FiniteInterval:
    """Returns the 95 % interval of a lesion's error on the given pictures from a sample of them.

    The score interval for paired outcomes (Tango 1998), which holds where few or no pictures are
    discordant, for a sample whose size is corrected for what is left to draw from: with half of the
    pictures known it counts twice, with all of them the interval is a point.

    Args:
        wrong: Booleans `(n_pictures,)`: whether the lesioned network is wrong; read where known.
        known: Booleans `(n_pictures,)`: the sample, drawn alike from pictures that the intact
            network gets right and from those it gets wrong.
        intact_wrong: Booleans `(n_pictures,)`: where the intact network is wrong.

    Raises:
        ValueError: Nothing is known.
    """
    n_all, n = len(known), int(known.sum())
    if n == 0:
        raise ValueError("Received a sample without pictures, expected at least one.")
    if n == n_all:
        error = float(wrong.mean())
        return FiniteInterval(error, error, error)
    worse = n * _share(wrong & ~intact_wrong, known, ~intact_wrong)
    better = n * _share(~wrong & intact_wrong, known, intact_wrong)
    more = (n_all - 1) / (n_all - n)
    low, high = difference_interval(worse * more, better * more, n * more, LEVEL)
    intact = float(intact_wrong.mean())
    # What the sample has shown is certain: so many are wrong, and so many are right.
    surely_wrong = int((wrong & known).sum()) / n_all
    surely_right = int((~wrong & known).sum()) / n_all
    low, high = max(intact + low, surely_wrong), min(intact + high, 1.0 - surely_right)
    error = float(np.clip(intact + (worse - better) / n, low, high))
    return FiniteInterval(error, low, high)


def _share(which: np.ndarray, known: np.ndarray, stratum: np.ndarray) -> float:
    """Returns the estimated share, of all pictures, of those of a stratum that are so."""
    n = (known & stratum).sum()
    return float((which & known & stratum).sum() / n * stratum.mean()) if n else 0.0


def sampling_order(intact_wrong: np.ndarray, seed: int) -> np.ndarray:
    """Returns all pictures in an order whose every beginning is a stratified random sample.

    Among the first m, pictures that the intact network gets wrong have their share of all, give or
    take one.

    Args:
        intact_wrong: Booleans `(n_pictures,)`.
        seed: The order is a function of it.
    """
    random = generator(seed, "sampling order")
    place = np.empty(len(intact_wrong))
    for stratum in (intact_wrong, ~intact_wrong):
        members = random.permutation(np.flatnonzero(stratum))
        place[members] = (np.arange(len(members)) + random.random()) / max(len(members), 1)
    return np.argsort(place, kind="stable")


class Sampling:
    """Which lesions to evaluate with which pictures, until every interval is narrow enough.

    Args:
        intact_wrong: Booleans `(n_pictures,)`: where the intact network is wrong.
        n_lesions: How many there are.
        margin: Half-width of the 95 % interval at which a lesion is done, as a fraction.
        seed: Of the order of the pictures.

    Raises:
        ValueError: The margin is not between 0 and 1.
    """

    def __init__(self, intact_wrong: np.ndarray, n_lesions: int, margin: float, seed: int):
        check_margin(margin)
        self.intact_wrong = intact_wrong
        self.margin = margin
        self.order = sampling_order(intact_wrong, seed)
        self.n_known = 0
        self.active = np.arange(n_lesions)
        self.wrong = np.zeros((n_lesions, len(intact_wrong)), bool)
        self.known = np.zeros_like(self.wrong)

    def settle(self, lesion: int, wrong: np.ndarray) -> None:
        """Notes that a lesion is known on all pictures, `(n_pictures,)`, beforehand."""
        self.wrong[lesion], self.known[lesion] = wrong, True
        self.active = self.active[self.active != lesion]

    def next_pictures(self) -> np.ndarray:
        """Returns the positions of the next pictures for the active lesions; may be none."""
        if not len(self.active):
            return self.order[:0]
        size = ROUND if self.n_known else FIRST_ROUND
        return self.order[self.n_known : self.n_known + size]

    def record(self, pictures: np.ndarray, wrong: np.ndarray) -> None:
        """Notes the outcomes, and lets go of the lesions that are known well enough.

        Args:
            pictures: Positions, as `next_pictures` gave them.
            wrong: Booleans `(n_active, len(pictures))`.
        """
        self.wrong[np.ix_(self.active, pictures)] = wrong
        self.known[np.ix_(self.active, pictures)] = True
        self.n_known += len(pictures)
        self.active = np.array(
            [i for i in self.active if self.interval(i).half_width > self.margin], int
        )

    def interval(self, lesion: int) -> FiniteInterval:
        """Returns what is known of a lesion's error on the given pictures."""
        return finite_interval(self.wrong[lesion], self.known[lesion], self.intact_wrong)
