import math

import numpy as np
import pytest

from residual_ensembles.analysis import bootstrap, student


def test_interval_of_a_mean_is_near_students():
    rows = np.random.default_rng(0).normal(size=(60, 1))
    low, high = bootstrap(np.mean, rows)
    assert (low, high) == pytest.approx(student(rows.ravel()), abs=0.05)


def test_same_seed_same_interval():
    rows = np.arange(12.0).reshape(6, 2)
    assert bootstrap(np.mean, rows) == bootstrap(np.mean, rows)
    assert bootstrap(np.mean, rows) != bootstrap(np.mean, rows, seed=1)


def test_one_row_has_no_interval():
    assert all(math.isnan(end) for end in bootstrap(np.mean, np.ones((1, 3))))


def test_statistics_that_are_not_defined_are_left_out():
    assert all(math.isnan(end) for end in bootstrap(lambda rows: math.nan, np.ones((4, 1))))
