import numpy as np
import pytest

from residual_ensembles.paths import log_linear

ANSCOMBE_X = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
ANSCOMBE_Y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]


def test_fit_equals_a_published_case():
    # Anscombe 1973: y = 3.00 + 0.500 x, standard error of the slope 0.1179, R² 0.667; t(9) 2.262.
    fit = log_linear(ANSCOMBE_X, ANSCOMBE_Y)
    assert fit.slope == pytest.approx(0.500, abs=5e-4)
    assert fit.intercept == pytest.approx(3.00, abs=5e-3)
    assert fit.r_squared == pytest.approx(0.667, abs=5e-4)
    half = 2.262 * 0.1179
    assert (fit.slope_low, fit.slope_high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-3)
    # Fisher: atanh(0.8164) = 1.1459, plus and minus 1.96 / sqrt(8)
    expected = np.tanh(1.1459 - 0.6930) ** 2, np.tanh(1.1459 + 0.6930) ** 2
    assert (fit.r_squared_low, fit.r_squared_high) == pytest.approx(expected, abs=1e-3)


def test_a_perfect_decay():
    length = np.arange(55)
    fit = log_linear(length, -2 - 0.5 * length)
    assert fit.slope == pytest.approx(-0.5)
    assert fit.r_squared == pytest.approx(1)
    assert fit.r_squared_low > 0.999
    assert fit.n == 55


def test_norms_of_zero_are_left_out():
    fit = log_linear([0, 1, 2, 3, 4], [0, -1, -2, -3, -np.inf])
    assert fit.n == 4
