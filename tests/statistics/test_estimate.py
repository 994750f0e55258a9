import math

import pytest

from residual_ensembles.statistics.intervals import Estimate, exact, over_draws, over_seeds

ONE = Estimate(0.1, 0.05, 0.15, 360, "images")


def test_one_seed_keeps_its_own_interval():
    assert over_seeds([ONE]) is ONE


def test_seeds_have_students_interval():
    other = Estimate(0.3, 0.2, 0.4, 360, "images")
    joined = over_seeds([ONE, other])
    assert (joined.value, joined.n, joined.over) == (pytest.approx(0.2), 2, "seeds")
    assert joined.high - joined.value == pytest.approx(12.7062 * 0.1, abs=1e-4)  # t(1), s / √2


def test_seeds_without_a_value_are_left_out():
    assert over_seeds([]) is None
    assert over_seeds([Estimate(math.nan, 0, 0, 1, "draws")]) is None


def test_exact_numbers_have_no_width():
    assert exact(0.5) == Estimate(0.5, 0.5, 0.5, None, "exact")


def test_draws():
    assert over_draws([1, 2, 3]).over == "draws"
    assert math.isnan(over_draws([1]).low)
