import math

import numpy as np
import pandas as pd
import pytest

from residual_ensembles.analysis import read_tables
from residual_ensembles.analysis.curves import (
    curves,
    error_by_size,
    largest_step,
    monotonicity,
    shrinking_gain,
    steepest,
    wrong_by_size,
)
from residual_ensembles.statistics.intervals import student


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
    assert monotonicity(draws).low == pytest.approx(1)


def test_a_cliff_is_steep():
    draws = np.tile(np.array([0.0, 0, 0, 0, 1, 1]), (5, 1))
    assert steepest(draws).value == 1


def test_gains_that_shrink_by_hand():
    assert shrinking_gain(np.array([0.5, 0.2, 0.1, 0.05])) == pytest.approx(0.3 - 0.05)
    assert shrinking_gain(np.array([0.5, 0.3, 0.2, 0.15, 0.15])) == pytest.approx(0.15 - 0.025)
    assert shrinking_gain(np.linspace(0.9, 0.1, 9)) == pytest.approx(0, abs=1e-12)
    assert shrinking_gain(1 - np.linspace(0, 1, 9) ** 2) < 0


def test_the_mean_over_sub_ensembles(study):
    tables = read_tables(study)
    result = wrong_by_size(tables, 0, "majority")
    assert result.shape == (360, 6)
    rows = tables.ensemble[(tables.ensemble.vote == "majority") & (tables.ensemble["size"] == 3)]
    assert len(rows) == 20
    assert result[:, 2].mean() == pytest.approx(rows.error_fraction.mean())
    curve = error_by_size(tables, "majority")
    np.testing.assert_allclose(curve.error, result.mean(axis=0))
    assert ((curve.low < curve.error) & (curve.error < curve.high)).all()


def test_several_seeds_of_an_ensemble_have_students_interval(study_of_three_seeds):
    tables = read_tables(study_of_three_seeds)
    means = [wrong_by_size(tables, seed, "average")[:, 5].mean() for seed in (0, 1, 2)]
    row = error_by_size(tables, "average").iloc[5]
    assert row.error == pytest.approx(np.mean(means))
    assert (row.low, row.high) == pytest.approx(student(means))


def test_without_predictions_there_is_no_interval(study, tmp_path):
    pd.read_csv(study / "lesions.csv").to_csv(tmp_path / "lesions.csv", index=False)
    pd.read_csv(study / "ensemble.csv").to_csv(tmp_path / "ensemble.csv", index=False)
    curve = error_by_size(read_tables(tmp_path), "average")
    assert len(curve) == 6
    assert all(map(math.isnan, curve.low))


def test_a_study_without_an_ensemble(tmp_path):
    tables = read_tables(tmp_path)
    assert error_by_size(tables, "average").empty
    assert wrong_by_size(tables, 0, "average").shape == (0, 0)
