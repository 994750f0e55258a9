import math

import pytest

from residual_ensembles.statistics import student, wilson


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
