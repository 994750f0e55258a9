import pytest

from residual_ensembles.analysis import additive_prediction


def test_costs_add_up():
    assert additive_prediction({1: 0.4, 2: 0.02, 3: -0.01}, [1, 3]) == pytest.approx(0.39)
    assert additive_prediction({1: 0.4}, []) == 0
