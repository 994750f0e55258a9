import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from residual_ensembles.statistics.finite_population import Changes, Stratum, changes, error_after
from residual_ensembles.statistics.intervals import wilson
from residual_ensembles.statistics.paired import difference_interval


def test_the_interval_by_hand():
    # 3 of 200 known of 940, 0 of 30 known of 60: Wilson's limits at 254 and 59 images.
    result = error_after(Changes(Stratum(3, 200, 940), Stratum(0, 30, 60)))
    low, high = wilson(3 * 939 / 740, 200 * 939 / 740)
    _, most_right = wilson(0, 30 * 59 / 30)
    assert (low * 940, high * 940, most_right * 60) == pytest.approx((5.38, 36.42, 3.67), abs=0.01)
    worse = 3 / 200 * 940
    assert result.error == pytest.approx((60 + worse) / 1000)
    assert result.low == pytest.approx((60 + np.floor(worse - np.hypot(worse - 5, 4))) / 1000)
    assert result.high == pytest.approx((60 + 37) / 1000)


def test_of_a_kind_that_nothing_is_known_of_all_may_have_changed():
    result = error_after(Changes(Stratum(0, 50, 50), Stratum(0, 0, 10)))
    assert (result.low, result.error, result.high) == pytest.approx((0.0, 10 / 60, 10 / 60))


def test_what_changed_is_counted_by_kind():
    before = np.array([True, True, True, False, False, False])
    wrong = np.array([False, True, False, True, False, True])
    known = np.array([True, True, False, True, True, False])
    result = changes(wrong, known, before)
    assert result == Changes(Stratum(1, 2, 3), Stratum(1, 2, 3))
    assert (result.n, result.n_known, result.effective_sample_size) == (6, 4, pytest.approx(4))


def test_a_sample_that_is_drawn_unlike_counts_for_less():
    drawn_alike = Changes(Stratum(18, 90, 900), Stratum(5, 10, 100))
    assert (*drawn_alike.equivalent_counts(), drawn_alike.effective_sample_size) == pytest.approx(
        (18, 5, 100)
    )
    unlike = Changes(Stratum(16, 80, 900), Stratum(10, 20, 100))  # the same shares changed
    assert (*unlike.equivalent_counts(), unlike.effective_sample_size) == pytest.approx(
        (16, 4.444, 88.89), rel=1e-3
    )
    rare = Changes(Stratum(16, 80, 999), Stratum(0, 0, 1))
    assert rare.effective_sample_size == 80


@given(*[st.tuples(st.integers(0, 700), st.integers(0, 700)).map(sorted)] * 2)
@example([71, 204], [15, 42])
@example([0, 0], [1, 49])
@example([0, 40], [60, 60])
def test_no_more_changed_than_there_are(right, wrong):
    if right[0] + wrong[0] == 0:
        return
    # Every known image changed.
    result = Changes(Stratum(right[0], *right), Stratum(wrong[0], *wrong))
    assert 1 <= result.effective_sample_size <= result.n_known
    worse, better = result.equivalent_counts()
    assert worse + better == pytest.approx(result.effective_sample_size) or 0 in (
        right[0],
        wrong[0],
    )
    low, high = difference_interval(worse, better, result.effective_sample_size)
    assert -1 <= low <= high <= 1


@given(st.data())
def test_the_truth_is_inside_whatever_is_left(data):
    # The limits of what the sample has shown, at least, hold for every way in which it can go on.
    sizes = [data.draw(st.integers(0, 40)) for _ in range(2)]
    if sum(sizes) == 0:
        return
    known = [data.draw(st.integers(0, n)) for n in sizes]
    changed = [data.draw(st.integers(0, k)) for k in known]
    result = error_after(Changes(*map(Stratum, changed, known, sizes)))
    assert 0 <= result.low <= result.error <= result.high <= 1
    assert (result.low * sum(sizes)) == pytest.approx(round(result.low * sum(sizes)))


@pytest.mark.parametrize("n", [300, 600])
@pytest.mark.parametrize("n_better", [1, 2])
def test_it_holds_of_small_sets_of_which_little_is_left(n, n_better):
    # Where the sample ends at a size, and not when its interval is narrow.
    random = np.random.default_rng(0)
    before = np.arange(n) < 0.6 * n
    wrong = before.copy()
    wrong[:n_better], wrong[-1] = False, True
    hits = 0
    for _ in range(1000):
        known = np.isin(np.arange(n), random.choice(n, int(0.85 * n), replace=False))
        result = error_after(changes(wrong, known, before))
        hits += result.low - 1e-9 <= wrong.mean() <= result.high + 1e-9
    assert hits >= 940
