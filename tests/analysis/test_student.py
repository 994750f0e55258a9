import math

import pytest

from residual_ensembles.analysis import student


def test_by_hand():
    # Mean 2, standard deviation 1, t of 2 degrees of freedom 4.3027.
    half = 4.302653 / math.sqrt(3)
    assert student([1, 2, 3]) == pytest.approx((2 - half, 2 + half), abs=1e-6)


def test_one_value_has_no_interval():
    assert all(math.isnan(end) for end in student([1.0]))
