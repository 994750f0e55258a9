"""Sequential sampling: an error within a given half-width, from as few images as that takes.

The intact network is known on all images, so a lesion's error is the intact one plus what
changed: images that became wrong less those that became right. Only these discordant images
have to be estimated, and there are few of them. They are sought in a sample that grows until the
interval of the error *on the given images* is narrow enough.
"""

import math
from collections.abc import Sequence

import numpy as np

from residual_ensembles.lesions.engine.grid import MAX_PADDING
from residual_ensembles.statistics.finite_population import FiniteInterval, changes, error_after
from residual_ensembles.statistics.randomness import generator

FIRST_ROUND = 256
"""Images of the first sample: without a discordant one, the interval is about ±1 point.

This and later rounds have up to a quarter more or fewer, to fill batches."""
ROUND = 64
"""Images that a round adds to a small sample."""
GROWTH = 1 / 8
"""Images that a round adds to a large sample, as a share of it: the few lesions that need thousands
of images have neither hundreds of interim analyses nor small batches."""
LEVEL = 0.955
"""Level of the interval of one interim analysis. To stop at the first narrow one costs up to half a
percent of coverage; with this level, at least 94 % is left (simulated in the tests)."""
LARGEST_OVERSAMPLING = 2.0
"""Largest `oversampling`."""


def check_half_width(ci_half_width: float) -> None:
    """Raises a ValueError for a half-width that is not between 0 and 1."""
    if not 0.0 < ci_half_width < 1.0:
        raise ValueError(
            f"Received ci_half_width={ci_half_width}, expected a fraction between 0 and 1, such as "
            "0.01 for one point either way."
        )


def finite_interval(
    wrong: np.ndarray, known: np.ndarray, intact_wrong: np.ndarray
) -> FiniteInterval:
    """Returns the 95 % interval of a lesion's error on the given images from a sample of them.

    What the lesion made wrong of the images that the intact network gets right, less what it made
    right of the others: see `statistics.finite_population`.

    Args:
        wrong: Booleans `(n_images,)`: whether the lesioned network is wrong; read where known.
        known: Booleans `(n_images,)`: the sample, random among the images that the intact
            network gets right, and among those that it gets wrong.
        intact_wrong: Booleans `(n_images,)`: where the intact network is wrong.

    Raises:
        ValueError: Nothing is known.
    """
    if not known.any():
        raise ValueError("Received a sample without images, expected at least one.")
    return error_after(changes(wrong, known, intact_wrong), LEVEL)


def oversampling(share_wrong: float) -> float:
    """Returns the factor by which images that the intact network gets wrong are drawn more often.

    A sample of a given size is most precise where strata are drawn in proportion to their standard
    deviations (Neyman 1934). If a lesion makes as many images right as wrong, that of the images
    that are wrong is `sqrt((1 - e) / e)` times the others', e being their share.
    """
    if share_wrong == 0.0:
        return 1.0
    return min(LARGEST_OVERSAMPLING, max(1.0, math.sqrt((1 - share_wrong) / share_wrong)))


def sampling_order(intact_wrong: np.ndarray, seed: int) -> np.ndarray:
    """Returns all images in an order whose every beginning is a stratified random sample.

    Images that the intact network gets wrong come `oversampling` times as often as the others,
    give or take one, until there are none left.
    """
    random = generator(seed, "sampling order")
    key = np.empty(len(intact_wrong))
    factor = oversampling(float(intact_wrong.mean()))
    for stratum, length in ((intact_wrong, 1 / factor), (~intact_wrong, 1.0)):
        members = random.permutation(np.flatnonzero(stratum))
        key[members] = length * (np.arange(len(members)) + random.random()) / max(len(members), 1)
    return np.argsort(key, kind="stable")


class Sampling:
    """Sequential sampling of images, until every lesion's interval is narrow enough.

    Batches of `batch_sizes`, in descending order, are fast to evaluate: a round has a multiple of
    one of them.
    """

    def __init__(
        self,
        intact_wrong: np.ndarray,
        n_lesions: int,
        ci_half_width: float,
        seed: int,
        batch_sizes: Sequence[int] = (1,),
    ):
        self.batch_sizes = batch_sizes
        self.intact_wrong = intact_wrong
        self.ci_half_width = ci_half_width
        self.order = sampling_order(intact_wrong, seed)
        self.n_known = 0
        self.active = np.arange(n_lesions)
        self.wrong = np.zeros((n_lesions, len(intact_wrong)), bool)
        self.known = np.zeros_like(self.wrong)

    def record_all(self, lesion: int, wrong: np.ndarray) -> None:
        """Records a lesion whose outcomes on all images, `(n_images,)`, are known beforehand."""
        self.wrong[lesion], self.known[lesion] = wrong, True
        self.active = self.active[self.active != lesion]

    def next_images(self) -> np.ndarray:
        """Returns the positions of the next images for the active lesions; there may be none."""
        if not len(self.active):
            return self.order[:0]
        more = max(ROUND, int(GROWTH * self.n_known))
        size = self._fitting(more if self.n_known else FIRST_ROUND)
        return self.order[self.n_known : self.n_known + size]

    def _fitting(self, n: int) -> int:
        """Returns a number of images near `n` that fills batches, large ones if possible."""
        multiples = [size * max(1, round(n / size)) for size in self.batch_sizes]
        return next((m for m in multiples if abs(m - n) <= MAX_PADDING * n), multiples[-1])

    def record(self, images: np.ndarray, wrong: np.ndarray) -> int:
        """Records outcomes, and drops the lesions whose interval is now narrow enough.

        Args:
            images: Positions, as `next_images` returned them.
            wrong: Booleans `(n_active, len(images))`.

        Returns:
            How many predictions this saves: lesions that were dropped, times images left.
        """
        self.wrong[np.ix_(self.active, images)] = wrong
        self.known[np.ix_(self.active, images)] = True
        self.n_known += len(images)
        wide = [self.interval(i).half_width > self.ci_half_width for i in self.active.tolist()]
        self.active = self.active[np.array(wide, bool)]
        return wide.count(False) * (len(self.order) - self.n_known)

    def interval(self, lesion: int) -> FiniteInterval:
        """Returns the interval of a lesion's error on the given images."""
        return finite_interval(self.wrong[lesion], self.known[lesion], self.intact_wrong)
