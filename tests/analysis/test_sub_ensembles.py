import math

import numpy as np
import pandas as pd
import pytest

from residual_ensembles.analysis import read_tables
from residual_ensembles.analysis.sub_ensembles import error_by_size, wrong_by_size
from residual_ensembles.statistics import student


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


def test_over_seeds(study_of_three_seeds):
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
