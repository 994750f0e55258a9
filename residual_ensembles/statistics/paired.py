"""Tests of two networks, or of two lesions of one network, on the same images.

They differ by the discordant images: those that only one of the two gets wrong. "No significant
difference" is not equality: a small sample finds no difference between anything. In a test of
equivalence the burden is reversed: two one-sided tests against a stated margin, and a small p says
that the difference lies within it.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binomtest, norm

from residual_ensembles.backend import extras

_ROUNDING = 1e-12


def discordant(wrong_a: np.ndarray, wrong_b: np.ndarray) -> tuple[int, int]:
    """Counts the images that only a, and those that only b gets wrong.

    Args:
        wrong_a: Booleans `(images,)`, true where a is wrong.
        wrong_b: The same for b, in the same order of images.

    Returns:
        (only a wrong, only b wrong).

    Raises:
        ValueError: The two are not about the same images.

    Example:
        >>> discordant(np.array([True, True, False]), np.array([False, True, False]))
        (1, 0)
    """
    wrong_a, wrong_b = np.asarray(wrong_a, bool), np.asarray(wrong_b, bool)
    if wrong_a.shape != wrong_b.shape or wrong_a.ndim != 1:
        raise ValueError(
            f"discordant got outcomes of shapes {wrong_a.shape} and {wrong_b.shape}; expected two "
            "vectors with one outcome per image, of the same images in the same order."
        )
    return int(np.sum(wrong_a & ~wrong_b)), int(np.sum(wrong_b & ~wrong_a))


def mcnemar(only_a: int, only_b: int) -> float:
    """Returns the two-sided p-value of McNemar's exact test: are a and b equally often wrong?

    Args:
        only_a: Images that only a gets wrong.
        only_b: Images that only b gets wrong.

    Example:
        >>> round(mcnemar(12, 3), 4)
        0.0352
    """
    if only_a + only_b == 0:
        return 1.0
    return float(binomtest(only_a, only_a + only_b, 0.5).pvalue)


def score(only_a: float, only_b: float, n_images: float, difference: float) -> float:
    """Returns Tango's score z of the hypothesis that a's error minus b's is `difference`.

    Unlike Wald's, it holds with few discordant images or none (Tango 1998, Statistics in
    Medicine 17, 891). Standard normal under the hypothesis.

    The difference lies strictly between -1 and 1; the counts are those of `difference_interval`.
    """
    # The share that only b gets wrong, most likely under the hypothesis: a root of a quadratic.
    a = 2 * n_images
    b = -only_a - only_b + (2 * n_images - only_a + only_b) * difference
    c = -only_b * difference * (1 - difference)
    only_b_share = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = n_images * (2 * only_b_share + difference * (1 - difference))
    distance = only_a - only_b - n_images * difference
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def difference_interval(
    only_a: float, only_b: float, n_images: float, confidence: float = 0.95
) -> tuple[float, float]:
    """Returns the score interval of a's error minus b's on the population of images.

    Counts need not be integers where some images count more than others.

    Args:
        only_a: Images that only a gets wrong.
        only_b: Images that only b gets wrong.
        n_images: Images in all, 1 or more.
        confidence: Level of the two-sided interval.

    Returns:
        Lower and upper end, as fractions between -1 and 1.

    Raises:
        ValueError: There are more discordant images than images.

    Example:
        >>> low, high = difference_interval(12, 3, 360)
        >>> round(low, 4), round(high, 4)
        (0.0045, 0.0501)
    """
    if n_images < 1 or only_a < 0 or only_b < 0 or only_a + only_b > n_images * (1 + _ROUNDING):
        raise ValueError(
            f"difference_interval got {only_a} and {only_b} discordant of {n_images} images; "
            "expected counts of 0 or more that add up to no more than the images there are."
        )
    z = float(norm.ppf((1 + confidence) / 2))
    point, edge = (only_a - only_b) / n_images, 1 - 1e-12

    def end(sign: int) -> float:
        def excess(difference: float) -> float:
            return sign * score(only_a, only_b, n_images, difference) + z

        if sign * point >= edge:
            return float(sign)
        return float(brentq(excess, point, sign * edge, xtol=1e-12))

    return end(-1), end(1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns Holm's adjusted p-values, in the order given.

    Where one is below 0.05, so is the chance that any such finding of the family is a false one.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
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
        ValueError: The margin is not a fraction.

    Example:
        >>> round(equivalence_over_images(5, 4, 1000, margin=0.01), 4)
        0.0098
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
        ValueError: The margin is not a fraction.

    Example:
        >>> round(equivalence_over_seeds([0.001, -0.002, 0.0005], margin=0.01), 4)
        0.0044
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
