import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from residual_ensembles.paths import effective_range, lengths


def test_range_equals_a_case_by_hand():
    amounts = [1, 2, 10, 6, 1]
    assert effective_range(amounts, 0.5) == (2, 2)
    assert effective_range(amounts, 0.8) == (2, 3)
    assert effective_range(amounts, 0.9) == (1, 3)
    assert effective_range(amounts, 1.0) == (0, 4)


def test_of_equal_ranges_the_one_of_shorter_paths():
    assert effective_range([1, 1, 1, 1], 0.5) == (0, 1)


def test_binomial_of_the_paper():
    low, high = effective_range([float(s) for s in lengths.binomial(54)], 0.95)
    assert (low, high) == (20, 34)  # symmetric about 27, and inside the paper's 19 to 35


@given(st.lists(st.integers(0, 20), min_size=1, max_size=9), st.floats(0.05, 1))
def test_no_shorter_range_has_the_share(amounts, share):
    assume(sum(amounts) > 0)
    low, high = effective_range(amounts, share)
    enough = share * sum(amounts) - 1e-9
    assert sum(amounts[low : high + 1]) >= enough
    width = high - low
    assert all(sum(amounts[i : i + width]) < enough + 2e-9 for i in range(len(amounts)))


@pytest.mark.parametrize(
    ("amounts", "share"), [([0, 0], 0.9), ([1, 2], 0), ([1, 2], 1.1), ([1, np.nan], 0.9)]
)
def test_amounts_without_a_positive_sum_are_refused(amounts, share):
    with pytest.raises(ValueError, match="effective_range"):
        effective_range(amounts, share)
