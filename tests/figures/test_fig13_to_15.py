import pandas as pd
import pytest

from residual_ensembles.analysis import read_tables
from residual_ensembles.figures import (
    fig13_ensemble,
    fig14_gradient_by_module,
    fig15_effective_ranges,
)


def test_votes_in_percent(study):
    result = fig13_ensemble.votes(read_tables(study))
    table = pd.read_csv(study / "ensemble.csv")
    for vote, curve in result.items():
        rows = table[(table["vote"] == vote) & (table["size"] == 2)]
        assert curve.error[1] == pytest.approx(100 * rows.error_fraction.mean())
        assert (curve.low < curve.error).all()
        assert list(curve.n_modules) == [9, 18, 27, 36, 45, 54]


def test_both_begin_at_the_whole_cost(study):
    left = fig13_ensemble.draw(read_tables(study)).axes[0]
    for line in left.lines:
        assert max(line.get_xdata()) == pytest.approx(100)


def test_a_vgg_has_one_path_and_no_share_to_show(study):
    result = fig14_gradient_by_module.shares(read_tables(study))
    assert list(result) == ["resnet", "resnet_stochastic_depth", "highway"]
    assert result["resnet"].share_projected[0] == pytest.approx(30)
    assert result["resnet"].share_low[0] == pytest.approx(28)


def test_shares_of_modules_add_up_to_the_mean_length(study):
    text = fig14_gradient_by_module.finding(read_tables(study))
    length = fig14_gradient_by_module.shares(read_tables(study))["highway"].share_projected.sum()
    assert f"highway: module 1 (30 %), mean length {length / 100:.1f}" in text


def test_ranges_have_intervals(study):
    tables = read_tables(study)
    assert list(fig15_effective_ranges.ranges(tables)["vgg"].index) == ["norm_of_sum", "projection"]
    text = fig15_effective_ranges.finding(tables)
    assert "resnet, norm of the sum: 1 (0–2) to 8 (8–9); 5 to 17 carry 30 %." in text
    assert "resnet, mean norm × number of paths (the paper's): 3 (2–4) to 10 (10–11)" in text
