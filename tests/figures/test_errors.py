import shutil

import pandas as pd
import pytest

from residual_ensembles.analysis import read_tables
from residual_ensembles.figures import errors
from residual_ensembles.statistics.intervals import student, wilson


def test_one_seed_has_wilsons_band(study):
    tables = read_tables(study)
    points = errors.single_deletions(tables, "resnet")
    assert list(points.module) == list(range(1, 55))
    row = tables.sweep("resnet", "single_deletion").iloc[0]
    assert points.error[0] == pytest.approx(100 * row.n_wrong / 360)
    assert (points.low[0], points.high[0]) == pytest.approx(
        [100 * end for end in wilson(row.n_wrong, 360)]
    )


def test_seeds_have_students_band(study_of_three_seeds):
    tables = read_tables(study_of_three_seeds)
    points = errors.single_deletions(tables, "vgg")
    rows = tables.sweep("vgg", "single_deletion")
    values = rows[rows.lesion == "delete 3"].error_fraction
    assert len(values) == 3
    assert points.low[2] == pytest.approx(max(0, 100 * student(values)[0]))


def test_curves_over_draws(study):
    tables = read_tables(study)
    points = errors.by_operations(tables, "resnet", "random_deletion")
    assert list(points.n_operations) == list(range(1, 21))
    assert (points.low <= points.error).all()
    assert points.high.max() <= 100


def test_draws_of_several_seeds_are_not_independent(study_of_three_seeds):
    tables = read_tables(study_of_three_seeds)
    points = errors.by_operations(tables, "resnet", "random_deletion")
    rows = tables.sweep("resnet", "random_deletion")
    of_five = rows[rows.n_operations == 5]
    low, high = student(of_five.groupby("seed").error_fraction.mean())
    assert len(of_five) == 9
    assert points.low[4] == pytest.approx(max(0, 100 * low))
    assert points.high[4] == pytest.approx(min(100, 100 * high))
    assert errors.bands_over(tables) == "over seeds"


def test_what_was_not_measured_is_empty(study):
    tables = read_tables(study)
    assert errors.by_operations(tables, "vgg", "reorder").empty
    assert errors.single_deletions(tables, "nothing").empty
    assert errors.basis(tables, "vgg", "reorder") == "no lesions in this study"


def test_basis_says_what_there_is(study, study_of_three_seeds):
    assert errors.basis(read_tables(study), "vgg", "single_deletion") == (
        "12 lesions × 360 test images, 1 seed"
    )
    assert errors.basis(read_tables(study_of_three_seeds), "vgg", "single_deletion") == (
        "12 lesions × 360 test images, 3 seeds"
    )


def test_basis_of_sequential_sampling_says_the_fewest_and_the_most_images(study, tmp_path):
    folder = shutil.copytree(study, tmp_path / "study")
    rows = pd.read_csv(folder / "lesions.csv")
    first = rows.index[(rows.network == "resnet") & (rows.sweep == "single_deletion")][0]
    rows.loc[first, "n_images"] = 64
    rows.to_csv(folder / "lesions.csv", index=False)
    assert errors.basis(read_tables(folder), "resnet", "single_deletion") == (
        "54 lesions × 64 to 360 test images, 1 seed"
    )
