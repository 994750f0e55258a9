import math

import numpy as np
import pytest

from residual_ensembles.analysis.claims.lesion_measurements import tenths
from residual_ensembles.analysis.curves import (
    largest_step,
    monotonicity,
    shrinking_gain,
    steepest,
)
from residual_ensembles.statistics import intervals
from residual_ensembles.statistics.intervals import (
    Estimate,
    bootstrap,
    exact,
    over_draws,
    over_seeds,
    student,
    wilson,
)
from residual_ensembles.statistics.randomness import generator


@pytest.mark.parametrize(
    ("n_wrong", "n", "low", "high"),
    [  # Newcombe 1998, Statistics in Medicine 17, 857, Table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_published_intervals(n_wrong, n, low, high):
    assert wilson(n_wrong, n) == pytest.approx((low, high), abs=5e-5)


def test_one_image_has_a_wide_interval():
    low, high = wilson(1, 1)
    assert (low, high) == pytest.approx((0.2065, 1.0), abs=1e-4)


def test_other_confidence_is_narrower():
    low, high = wilson(50, 100, confidence=0.5)
    assert high - low < 0.07


@pytest.mark.parametrize(("n_wrong", "n"), [(0, 0), (3, 2), (-1, 5)])
def test_impossible_counts_are_refused(n_wrong, n):
    with pytest.raises(ValueError, match=f"{n_wrong} wrong of {n}"):
        wilson(n_wrong, n)


def test_student_by_hand():
    # Mean 2, standard deviation 1, t of 2 degrees of freedom 4.3027.
    half = 4.302653 / math.sqrt(3)
    assert student([1, 2, 3]) == pytest.approx((2 - half, 2 + half), abs=1e-6)


def test_one_value_has_no_interval():
    assert all(math.isnan(end) for end in student([1.0]))


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


def test_a_mean_of_draws_has_students_interval():
    assert over_draws([1, 2, 3]).over == "draws"
    assert math.isnan(over_draws([1]).low)


def mean(samples):
    return samples.mean(axis=(-2, -1))


@pytest.mark.parametrize("block_bytes", [1, 5000, intervals.BLOCK_BYTES])
def test_samples_are_resampled_in_blocks(monkeypatch, block_bytes):
    monkeypatch.setattr(intervals, "BLOCK_BYTES", block_bytes)
    rows = np.random.default_rng(0).normal(size=(7, 3))
    random = generator(0, "bootstrap")
    one_by_one = [mean(rows[random.integers(7, size=7)]) for _ in range(intervals.N_RESAMPLES)]
    seen = []
    bootstrap(lambda samples: seen.extend(np.ravel(mean(samples))) or mean(samples), rows)
    assert seen == [mean(rows), *one_by_one]


def test_interval_of_a_mean_is_near_students():
    rows = np.random.default_rng(0).normal(size=(60, 1))
    low, high = bootstrap(mean, rows)
    assert (low, high) == pytest.approx(student(rows.ravel()), abs=0.05)


def test_same_seed_same_interval():
    rows = np.arange(12.0).reshape(6, 2)
    assert bootstrap(mean, rows) == bootstrap(mean, rows)
    assert bootstrap(mean, rows) != bootstrap(mean, rows, seed=1)


def test_limits_are_kept():
    rows = np.array([[0.0], [0.1], [0.9], [1.0]])
    low, high = bootstrap(lambda samples: samples.max(axis=(-2, -1)), rows, limits=(0.5, 1.0))
    assert (low, high) == (0.5, 1.0)
    low, high = bootstrap(mean, rows, limits=(0.45, 0.6))
    assert (low, high) == (0.45, 0.6)


@pytest.mark.parametrize("statistic", [largest_step, shrinking_gain, tenths])
def test_statistics_of_samples_are_those_of_each(statistic):
    shape = (6, 20, 2) if statistic is tenths else (6, 20)
    samples = np.random.default_rng(0).normal(size=shape)
    one_by_one = np.array([statistic(sample) for sample in samples])
    np.testing.assert_array_equal(statistic(samples), one_by_one)


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
    result = monotonicity(
        study
    )  # noise can only disturb an order: all resamples lie below the number
    assert result.low < result.value < result.high
    result = steepest(study)
    assert result.low < result.value < result.high


def test_one_row_has_no_interval():
    assert all(math.isnan(end) for end in bootstrap(mean, np.ones((1, 3))))


def test_statistics_that_are_not_defined_have_no_interval():
    def undefined(samples):
        return np.full(samples.shape[:-2], math.nan)

    assert all(math.isnan(end) for end in bootstrap(undefined, np.ones((4, 1))))
