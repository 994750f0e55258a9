import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from residual_ensembles.statistics.rank_correlation import kendall_tau, spearman


def test_kendall_by_hand():
    assert kendall_tau([1, 2, 3, 4]) == 1
    assert kendall_tau([4, 3, 2, 1]) == -1
    assert kendall_tau([1, 3, 2]) == pytest.approx(1 / 3)  # one of three pairs turned round


@given(st.permutations(list(range(9))))
def test_kendall_counts_inversions(order):
    n = len(order)
    inversions = sum(order[i] > order[j] for i in range(n) for j in range(i + 1, n))
    assert kendall_tau(order) == pytest.approx(1 - 4 * inversions / (n * (n - 1)))


def test_spearman_by_hand():
    # Ranks 1 2 3 4 against 1 2 4 3: 1 - 6 (0 + 0 + 1 + 1) / (4 * 15)
    assert spearman([10, 20, 30, 40], [1, 2, 9, 8]) == pytest.approx(0.8)


def test_spearman_is_that_of_scipy():
    x, y = np.random.default_rng(0).integers(5, size=(2, 3, 4, 12))  # with ties
    rows = zip(x.reshape(-1, 12), y.reshape(-1, 12), strict=True)
    one_by_one = [stats.spearmanr(*pair).statistic for pair in rows]
    assert spearman(x, y).ravel() == pytest.approx(one_by_one, abs=1e-15)


def test_what_does_not_vary_has_no_rank_correlation():
    assert math.isnan(spearman([1, 1, 1], [1, 2, 3]))
    assert math.isnan(spearman([1], [1]))
