import numpy as np
import pytest

from residual_ensembles.analysis import read_tables
from residual_ensembles.analysis.curves import (
    curves,
    largest_step,
    monotony,
    shrinking_gain,
    steepest,
)


def test_curves_begin_with_the_intact_error(study):
    tables = read_tables(study)
    result = curves(tables, "resnet", 0, "random_deletion")
    assert result.shape == (6, 21)
    intact = tables.sweep("resnet", "intact").error_fraction.iloc[0]
    assert np.all(result[:, 0] == intact)
    rows = tables.sweep("resnet", "random_deletion")
    first = rows[(rows.n_operations == 5) & (rows.draw == 2)].error_fraction.iloc[0]
    assert result[2, 5] == first


def test_missing_sweeps_have_no_curve(study):
    assert curves(read_tables(study), "vgg", 0, "random_deletion").shape == (0, 0)


def test_largest_step_by_hand():
    assert largest_step(np.array([0.0, 0.1, 0.5, 0.4, 0.8])) == pytest.approx(0.5)
    assert np.isnan(largest_step(np.array([0.5, 0.4])))


def test_a_straight_rise_is_smooth():
    draws = np.tile(np.linspace(0, 1, 11), (5, 1))
    assert steepest(draws).high == pytest.approx(0.1)
    assert monotony(draws).low == pytest.approx(1)


def test_a_cliff_is_steep():
    draws = np.tile(np.array([0.0, 0, 0, 0, 1, 1]), (5, 1))
    assert steepest(draws).value == 1


def test_gains_that_shrink_by_hand():
    assert shrinking_gain(np.array([0.5, 0.2, 0.1, 0.05])) == pytest.approx(0.3 - 0.05)
    assert shrinking_gain(np.array([0.5, 0.3, 0.2, 0.15, 0.15])) == pytest.approx(0.15 - 0.025)
    assert shrinking_gain(np.linspace(0.9, 0.1, 9)) == pytest.approx(0, abs=1e-12)
    assert shrinking_gain(1 - np.linspace(0, 1, 9) ** 2) < 0
