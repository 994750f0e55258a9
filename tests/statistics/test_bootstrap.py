import math

import numpy as np
import pytest

from residual_ensembles.analysis.curves import largest_step, monotony, steepest
from residual_ensembles.statistics import bootstrap, student


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
    assert (low, high) == (0.5, 1.0)
    low, high = bootstrap(np.mean, rows, limits=(0.45, 0.6))
    assert (low, high) == (0.45, 0.6)


SMOOTH = 1 / (1 + np.exp(-(np.arange(21) - 11) / 2.5))


def studies_of(curve, n):
    random = np.random.default_rng(0)
    return [curve + 0.1 * random.normal(size=(20, len(curve))) for _ in range(n)]


def test_the_truth_is_held_where_noise_pushes_one_way():
    truth = largest_step(SMOOTH)
    result = [steepest(study) for study in studies_of(SMOOTH, 100)]
    assert np.mean([one.low <= truth <= one.high for one in result]) >= 0.92


def test_the_end_that_decides_does_not_shrink_to_the_number():
    (study,) = studies_of(SMOOTH, 1)
    result = monotony(study)  # noise can only disturb an order: all resamples lie below the number
    assert result.low < result.value < result.high
    result = steepest(study)
    assert result.low < result.value < result.high


def test_one_row_has_no_interval():
    assert all(math.isnan(end) for end in bootstrap(np.mean, np.ones((1, 3))))


def test_statistics_that_are_not_defined_have_no_interval():
    assert all(math.isnan(end) for end in bootstrap(lambda rows: math.nan, np.ones((4, 1))))
