from math import comb

import pandas as pd
import pytest

from residual_ensembles.analysis import read_tables
from residual_ensembles.analysis.gradient_readings import (
    final_gradients,
    is_complete,
    log10_counts,
    readings,
)
from residual_ensembles.paths.study import gradient_tables


def test_paths_are_counted_by_length():
    assert 10 ** log10_counts(54)[27] == pytest.approx(comb(54, 27))


def test_only_gradients_after_training_are_read(tmp_path):
    rows = [
        ("net", 0, epoch, "exact", target, batch_norm, length, -length, 0, 0, 1, *6 * [0])
        for epoch in (1, 30)
        for target in ("image", "y0")
        for batch_norm in ("training", "inference")
        for length in (1, 0)
    ]
    frame = pd.DataFrame(rows, columns=list(gradient_tables.COLUMNS[""]))
    frame.to_csv(tmp_path / "path_gradients.csv", index=False)
    result = final_gradients(read_tables(tmp_path), "net", 0, "exact")
    assert list(result.length) == [0, 1]
    assert set(result.epoch) == {30}
    assert set(result.target) == {"y0"}
    assert set(result.batch_norm) == {"inference"}


def test_rows_are_complete_with_a_norm_for_every_length(study):
    rows = final_gradients(read_tables(study), "resnet", 0, "sampled")
    assert is_complete(rows, 54)
    assert not is_complete(rows[:-1], 54)
    assert not is_complete(rows[:0], 0)


def test_readings_are_shares(study):
    result = readings(read_tables(study), "resnet", 0)
    assert list(result) == ["sampled", "exact", "projected"]
    for shares, low, high in result.values():
        assert shares.sum() == pytest.approx(1)
        assert len(shares) == 55
        assert (low <= shares).all()
        assert (shares <= high).all()


def test_no_reading_without_every_length(tmp_path, study):
    rows = pd.read_csv(study / "path_gradients.csv")
    rows[rows.length < 50].to_csv(tmp_path / "path_gradients.csv", index=False)
    pd.read_csv(study / "lesions.csv").to_csv(tmp_path / "lesions.csv", index=False)
    assert readings(read_tables(tmp_path), "resnet", 0) == {}
