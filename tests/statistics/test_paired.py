import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, t

from residual_ensembles.statistics.paired import (
    difference_interval,
    discordant,
    equivalence_over_images,
    equivalence_over_seeds,
    holm,
    mcnemar,
    score,
)


def test_discordant_counts_each_side():
    a = np.array([1, 1, 1, 0, 0, 0], bool)
    b = np.array([1, 0, 0, 1, 0, 0], bool)
    assert discordant(a, b) == (2, 1)


def test_other_images_are_refused():
    with pytest.raises(ValueError, match="the same order"):
        discordant(np.zeros(3, bool), np.zeros(4, bool))


def test_mcnemar_by_hand():
    # 1 and 7 discordant: twice the chance of 0 or 1 heads in 8 throws, 2 (1 + 8) / 2^8.
    assert mcnemar(1, 7) == pytest.approx(18 / 256)
    assert mcnemar(7, 1) == pytest.approx(18 / 256)
    assert mcnemar(0, 0) == 1.0


def test_score_at_zero_is_mcnemars():
    assert score(9, 4, 100, 0.0) == pytest.approx((9 - 4) / np.sqrt(9 + 4))


def test_published_score():
    # Tango 1998: 44 pairs, one discordant, tested against a difference of 0.1.
    assert score(0, 1, 44, -0.1) == pytest.approx(1.709, abs=5e-4)


def test_published_interval():
    # Bentur et al. 2009, in Fagerland, Lydersen & Laake, Statistical Analysis of Contingency
    # Tables, chapter 8: Tango's interval for 1 and 7 discordant of 21.
    assert difference_interval(1, 7, 21) == pytest.approx((-0.5172, -0.0260), abs=1e-4)


def test_no_discordant_image_still_has_an_interval():
    z2 = norm.ppf(0.975) ** 2
    low, high = difference_interval(0, 0, 360)
    assert high == pytest.approx(z2 / (360 + z2))
    assert low == pytest.approx(-high)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 400))
def test_interval_holds_the_difference_and_is_antisymmetric(only_a, only_b, concordant):
    n = max(only_a + only_b + concordant, 1)
    low, high = difference_interval(only_a, only_b, n)
    assert -1 <= low <= (only_a - only_b) / n <= high <= 1
    assert difference_interval(only_b, only_a, n) == pytest.approx((-high, -low), abs=1e-9)


def test_coverage_with_few_discordant_images():
    random = np.random.default_rng(0)
    draws = random.multinomial(360, [0.03, 0.01, 0.96], size=400)
    covered = [
        low <= 0.02 <= high for a, b, _ in draws for low, high in [difference_interval(a, b, 360)]
    ]
    assert np.mean(covered) > 0.93


def test_too_many_discordant_images_are_refused():
    with pytest.raises(ValueError, match="no more than the images"):
        difference_interval(3, 3, 5)


def test_published_case_over_images():
    # Tango 1998: z = 1.709 against the nearer margin, one-sided p = 0.044.
    assert equivalence_over_images(0, 1, 44, 0.1) == pytest.approx(0.044, abs=5e-4)


def test_difference_beyond_the_margin_is_not_equivalent():
    assert equivalence_over_images(60, 10, 1000, 0.01) > 0.5


def test_many_images_without_difference_are_equivalent():
    assert equivalence_over_images(20, 20, 10_000, 0.01) < 1e-6


def test_over_seeds_by_hand():
    values = [0.001, -0.002, 0.004]
    mean, error = 0.001, math.sqrt(9e-6) / math.sqrt(3)  # variance (0 + 9 + 9) e-6 / 2
    p = t.sf((0.01 - mean) / error, 2)  # the upper margin is the nearer one
    assert equivalence_over_seeds(values, 0.01) == pytest.approx(p)


def test_one_seed_shows_no_equivalence():
    assert equivalence_over_seeds([0.0], 0.01) == 1.0


def test_seeds_without_spread():
    assert equivalence_over_seeds([0.002, 0.002], 0.01) == 0.0
    assert equivalence_over_seeds([0.02, 0.02], 0.01) == 1.0


@pytest.mark.parametrize("margin", [0, 1, -0.01])
def test_margin_that_is_no_fraction_is_refused(margin):
    with pytest.raises(ValueError, match=f"margin is {margin}"):
        equivalence_over_seeds([0.0, 0.1], margin)
    with pytest.raises(ValueError, match=f"margin is {margin}"):
        equivalence_over_images(1, 1, 10, margin)


def test_holm_by_hand():
    # Sorted 0.01, 0.03, 0.04, times 3, 2, 1, and never less than the one before.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_holm_of_no_tests_is_empty():
    assert holm([]) == []
