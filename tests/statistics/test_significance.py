import math

import pytest
from scipy.stats import t

from residual_ensembles.statistics import equivalence_over_images, equivalence_over_seeds, holm


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


def test_one_seed_shows_nothing():
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


def test_nothing_tested():
    assert holm([]) == []
