"""Path lengths: the paper's numbers, and what must hold for any number of modules."""

from fractions import Fraction
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residual_ensembles.paths import (
    binomial,
    expected_length,
    n_paths,
    remaining,
    remaining_within,
    share_within,
)

MODULES = 54

numbers = st.integers(0, 200)


@st.composite
def ranges(draw):
    n = draw(numbers)
    low = draw(st.integers(0, n))
    return n, low, draw(st.integers(low, n))


def test_the_papers_shares():
    assert float(share_within(MODULES, 19, 35)) == pytest.approx(0.980, abs=5e-4)
    assert float(share_within(MODULES, 5, 17)) == pytest.approx(0.004537, abs=5e-7)
    assert n_paths(MODULES) == 18_014_398_509_481_984
    assert expected_length(MODULES) == 27
    assert expected_length(MODULES, 23) == Fraction(23, 2)


def test_paths_left_after_deletion():
    assert float(remaining_within(MODULES, 10, 5, 17)) == pytest.approx(0.0187, abs=5e-5)
    assert float(remaining(MODULES, 10)[5]) == pytest.approx(0.34, abs=5e-3)
    assert float(remaining_within(MODULES, 20, 5, 17)) == pytest.approx(0.00012, abs=5e-6)


@pytest.mark.parametrize("n", range(7))
def test_shares_equal_counts_of_all_paths(n):
    paths = list(product((0, 1), repeat=n))
    assert n_paths(n) == len(paths)
    assert binomial(n) == [
        Fraction(sum(sum(p) == k for p in paths), len(paths)) for k in range(n + 1)
    ]
    for deleted in range(n + 1):
        for gone in combinations(range(n), deleted):
            left = [p for p in paths if not any(p[i] for i in gone)]
            assert remaining(n, deleted) == [
                Fraction(sum(sum(p) == k for p in left), sum(sum(p) == k for p in paths))
                for k in range(n + 1)
            ]


@given(numbers)
def test_shares_add_up_to_one_and_average_to_the_expected_length(n):
    shares = binomial(n)
    assert sum(shares) == 1
    assert shares == shares[::-1]
    assert sum(length * share for length, share in enumerate(shares)) == expected_length(n)


@given(ranges())
def test_shares_within_a_range_add_up(case):
    n, low, high = case
    assert share_within(n, low, high) == sum(binomial(n)[low : high + 1])


@given(ranges(), st.data())
def test_what_remains_in_a_range_is_the_weighted_mean_of_its_lengths(case, data):
    n, low, high = case
    deleted = data.draw(st.integers(0, n))
    weights, left = binomial(n), remaining(n, deleted)
    inside = range(low, high + 1)
    mean = sum(weights[x] * left[x] for x in inside) / sum(weights[x] for x in inside)
    assert remaining_within(n, deleted, low, high) == mean


@given(numbers, st.data())
def test_deletion_leaves_two_to_the_rest_and_hits_long_paths_more(n, data):
    deleted = data.draw(st.integers(0, n))
    left = remaining(n, deleted)
    assert remaining_within(n, deleted, 0, n) == Fraction(n_paths(n - deleted), n_paths(n))
    assert left == sorted(left, reverse=True)
    assert left[0] == 1
    assert all(share == 0 for share in left[n - deleted + 1 :])


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: n_paths(-1), "n=-1"),
        (lambda: share_within(5, 3, 2), "lengths 3 to 2"),
        (lambda: share_within(5, 0, 6), "lengths 0 to 6"),
        (lambda: expected_length(5, 6), "modules_per_batch=6"),
        (lambda: remaining(5, 6), "6 deleted"),
        (lambda: remaining_within(5, 1, 4, 8), "lengths 4 to 8"),
    ],
)
def test_bad_arguments_are_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()


def test_a_number_of_modules_that_is_no_integer_is_refused():
    with pytest.raises(TypeError, match=r"n=2\.5"):
        binomial(2.5)
