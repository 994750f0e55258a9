import math

import numpy as np
import pytest

from residual_ensembles.analysis import bootstrap, student
from residual_ensembles.analysis.curves import steepest


def test_interval_of_a_mean_is_near_students():
    rows = np.random.default_rng(0).normal(size=(60, 1))
    low, high = bootstrap(np.mean, rows)
    assert (low, high) == pytest.approx(student(rows.ravel()), abs=0.05)


def test_same_seed_same_interval():
    rows = np.arange(12.0).reshape(6, 2)
    assert bootstrap(np.mean, rows) == bootstrap(np.mean, rows)
    assert bootstrap(np.mean, rows) != bootstrap(np.mean, rows, seed=1)


def test_limits_are_kept():
    rows = np.array([[0.0], [0.1], [0.9], [1.0]])
    low, high = bootstrap(np.max, rows, limits=(0.5, 1.0))
    assert (low, high) == (1.0, 1.0)
    low, high = bootstrap(np.mean, rows, limits=(0.45, 0.6))
    assert (low, high) == (0.45, 0.6)


def test_noise_does_not_make_a_straight_rise_steep():
    random = np.random.default_rng(0)
    straight = np.linspace(0, 0.8, 21)
    studies = [straight + 0.15 * random.normal(size=(20, 21)) for _ in range(20)]
    held = [found.low <= 0.05 <= found.high for found in map(steepest, studies)]
    assert np.mean(held) >= 0.8  # a percentile interval holds the truth in none of them


def test_one_row_has_no_interval():
    assert all(math.isnan(end) for end in bootstrap(np.mean, np.ones((1, 3))))


def test_statistics_that_are_not_defined_have_no_interval():
    assert all(math.isnan(end) for end in bootstrap(lambda rows: math.nan, np.ones((4, 1))))
