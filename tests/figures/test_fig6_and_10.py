import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from residual_ensembles.analysis import read_tables
from residual_ensembles.figures import (
    fig6_path_gradients,
    fig7_paths_left,
    fig10_cancellation,
    fig12_training,
    fig13_ensemble,
    fig15_effective_ranges,
)


def test_cancellation_is_what_the_tables_hold(study):
    ((apart, together),) = fig10_cancellation.both(read_tables(study))
    assert apart - together == pytest.approx(0.12 * np.arange(55), abs=1e-9)


def test_cancellation_has_its_band(study):
    (rows,) = fig10_cancellation.canceled(read_tables(study))
    assert list(rows.canceled) == pytest.approx(0.12 * np.arange(55))
    assert (rows.low[1:] < rows.canceled[1:]).all()
    assert (rows.canceled[1:] < rows.high[1:]).all()
    right = fig10_cancellation.draw(read_tables(study)).axes[1]
    assert len(right.collections) == len(right.lines) == 1


def test_each_network_is_drawn_with_its_own_number_of_modules(study, tmp_path):
    folder = shutil.copytree(study, tmp_path / "digits")
    lesions = pd.read_csv(folder / "lesions.csv")
    short = lesions[lesions.network == "resnet"].assign(network="resnet_short")
    pd.concat([short, lesions]).to_csv(folder / "lesions.csv", index=False)
    facts = json.loads((folder / "networks/resnet-0/run.json").read_text())
    (folder / "networks/resnet_short-0").mkdir()
    (folder / "networks/resnet_short-0/run.json").write_text(json.dumps(facts | {"n_modules": 27}))
    tables = read_tables(folder)
    assert tables.plain == ("resnet_short", "resnet")
    of_one = fig6_path_gradients.draw(tables).axes[4]  # in a row of its own
    assert max(of_one.lines[-1].get_xdata()) == 54
    assert of_one.get_xlim() == (-0.5, 54.5)
    left = fig13_ensemble.draw(tables).axes[0]
    ends = {min(line.get_xdata()) for line in left.lines if "any module" in line.get_label()}
    assert sorted(ends) == pytest.approx([100 * (1 - 20 / 27), 100 * (1 - 20 / 54)])


def test_the_exact_curve_has_its_band(study):
    of_one = fig6_path_gradients.draw(read_tables(study)).axes[1]
    assert len(of_one.collections) == len(of_one.lines) == 2


def test_what_no_panel_shows_is_said(study):
    tables = read_tables(study)
    assert fig6_path_gradients.finding(tables) == ""
    straight = tables.gradient_fits.assign(fitted_lengths="straight", last=20)
    of_weights = tables.gradient_ranges.assign(target="module_1_weights", first=1, last=7)
    tables = dataclasses.replace(
        tables,
        gradient_fits=pd.concat([tables.gradient_fits, straight]),
        gradient_ranges=pd.concat([tables.gradient_ranges, of_weights]),
    )
    assert fig6_path_gradients.finding(tables) == (
        "The mean norm of one path of resnet keeps within a factor of two of a line from length 0 "
        "to 20; there, a module more changes its log₁₀ by −0.78 (−0.80 to −0.76). Of the gradient "
        "of the weights of module 1, which is what updates them, 95 % (projected) comes by ways of "
        "1 to 7 of the modules behind it."
    )
    of_one_batch = tables.gradient_fits.assign(slope_low=np.nan, slope_high=np.nan)
    tables = dataclasses.replace(tables, gradient_fits=of_one_batch)
    assert "by −0.78. Of the" in fig6_path_gradients.finding(tables)


def test_without_networks_n_is_the_papers(tmp_path):
    assert fig6_path_gradients.modules_of(read_tables(tmp_path)) == 54


def test_the_papers_range_is_said_of_networks_as_deep_as_its_own_alone(study, tmp_path):
    folder = shutil.copytree(study, tmp_path / "digits")
    for path in folder.glob("networks/*/run.json"):
        facts = json.loads(path.read_text())
        path.write_text(json.dumps(facts | {"n_modules": 6, "model": "unraveled"}))
    ours, others = read_tables(study), read_tables(folder)
    assert fig12_training.rests_on(ours).endswith("gray: 5–17")
    assert fig12_training.rests_on(others).endswith("95 % over batches")
    assert " is at epoch 30 at length" in fig12_training.finding(ours)
    assert " is as it was given at length" in fig12_training.finding(others)
    assert "5 to 17 carry" in fig15_effective_ranges.finding(ours)
    assert "5 to 17 carry" not in fig15_effective_ranges.finding(others)
    labels = [
        [text.get_text() for text in fig7_paths_left.draw(tables).axes[0].get_legend().texts]
        for tables in (ours, others)
    ]
    assert labels[0][0] == "effective paths (paper): 5–17"
    assert labels[1] == ["1 of 6 deleted", "2 of 6 deleted", "3 of 6 deleted"]


@pytest.mark.parametrize(
    ("n", "deleted"), [(1, (1,)), (2, (1,)), (20, (1, 6, 10)), (21, (1, 10, 20))]
)
def test_numbers_of_deleted_modules_fit_the_network(n, deleted):
    assert fig7_paths_left.deletions(n) == deleted
