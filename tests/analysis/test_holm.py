import pytest

from residual_ensembles.analysis import holm


def test_by_hand():
    # Sorted 0.01, 0.03, 0.04, times 3, 2, 1, and never less than the one before.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_nothing_tested():
    assert holm([]) == []
