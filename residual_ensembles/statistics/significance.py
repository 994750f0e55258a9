"""Tests of differences and of equivalence.

"No significant difference" is not equality: a small sample finds no difference between anything. In
a test of equivalence the burden is turned round: two one-sided tests against a stated margin, and a
small p says that the difference lies within it.
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from residual_ensembles.backend import extras
from residual_ensembles.statistics.paired import score


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns Holm's adjusted p-values, in the order given.

    Where one is below 0.05, so is the chance that any such finding of the family is a false one.
    """
    if len(p_values) == 0:
        return []
    extras.require("figures", "statsmodels")
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(p_values, method="holm")[1]]


def _checked(margin: float) -> float:
    if not 0 < margin < 1:
        raise ValueError(
            f"margin is {margin}; expected a fraction between 0 and 1, such as 0.01 for one point "
            "of error: the largest difference that would still count as none."
        )
    return margin


def equivalence_over_images(only_a: int, only_b: int, n_images: int, margin: float) -> float:
    """Returns p of the two one-sided score tests for two networks on the same images.

    Args:
        only_a: Images that only a gets wrong.
        only_b: Images that only b gets wrong.
        n_images: Images in all.
        margin: The largest difference of errors that counts as none, as a fraction.

    Returns:
        The larger p of the two tests; below 0.05, a and b are equivalent within the margin.

    Raises:
        ValueError: The margin is no fraction.
    """
    margin = _checked(margin)
    not_lower = norm.sf(score(only_a, only_b, n_images, -margin))
    not_higher = norm.cdf(score(only_a, only_b, n_images, margin))
    return float(max(not_lower, not_higher))


def equivalence_over_seeds(differences: Sequence[float], margin: float) -> float:
    """Returns p of the two one-sided t tests for two ways of training, paired by seed.

    Args:
        differences: Error of the one minus error of the other, one per seed, as fractions.
        margin: The largest difference of errors that counts as none, as a fraction.

    Returns:
        The larger p of the two tests; 1 with fewer than two seeds, which show no spread.

    Raises:
        ValueError: The margin is no fraction.
    """
    margin = _checked(margin)
    values = np.asarray(differences, float)
    if len(values) < 2:
        return 1.0
    if np.ptp(values) == 0:  # no spread, no t: the difference is what it is
        return 0.0 if abs(values[0]) < margin else 1.0
    extras.require("figures", "statsmodels")
    from statsmodels.stats.weightstats import DescrStatsW

    return float(DescrStatsW(values).ttost_mean(-margin, margin)[0])
