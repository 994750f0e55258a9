import math

import numpy as np
import pytest

from residual_ensembles.analysis import bootstrap, student
from residual_ensembles.analysis.curves import largest_step, steepest


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


def test_noise_does_not_make_a_smooth_rise_steep():
    random = np.random.default_rng(0)
    smooth = 1 / (1 + np.exp(-(np.arange(21) - 11) / 2.5))
    truth = largest_step(smooth)
    studies = [smooth + 0.1 * random.normal(size=(20, 21)) for _ in range(30)]
    held = [found.low <= truth <= found.high for found in map(steepest, studies)]
    assert np.mean(held) >= 0.8  # percentiles of the same resamples hold it in none


def test_one_row_has_no_interval():
    assert all(math.isnan(end) for end in bootstrap(np.mean, np.ones((1, 3))))


def test_statistics_that_are_not_defined_have_no_interval():
    assert all(math.isnan(end) for end in bootstrap(lambda rows: math.nan, np.ones((4, 1))))
