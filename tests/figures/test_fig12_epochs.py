import dataclasses

import pandas as pd
import pytest

from residual_ensembles.analysis import read_tables
from residual_ensembles.analysis.tables import Run
from residual_ensembles.figures import fig12_training
from residual_ensembles.figures.fig12_training import by_epoch


@pytest.fixture
def through_training(study):
    """A study whose networks were taken apart before training and after, a highway among them."""
    tables = read_tables(study)
    exact = tables.gradients[tables.gradients.estimator == "exact"]
    highway = exact[exact.length <= 15].assign(network="highway")
    vgg = exact[exact.length == 0].assign(network="vgg", length=12)
    after = [exact, highway, vgg]
    before = [rows.assign(epoch=0, batch_norm="training") for rows in after]
    runs = tuple(
        Run(run.network, run.seed, {**run.facts, "n_modules": 15})
        if run.network == "highway"
        else run
        for run in tables.runs
    )
    return dataclasses.replace(tables, runs=runs, gradients=pd.concat([*after, *before]))


def test_decompositions_by_epoch(study):
    result = by_epoch(read_tables(study), "resnet", 0)
    assert list(result) == [30]
    assert list(result[30].length) == list(range(55))
    assert by_epoch(read_tables(study), "vgg", 0) == {}


def test_networks_of_every_depth_are_drawn_by_epoch(through_training):
    panels = fig12_training.draw(through_training).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["(a) resnet", "(b) highway"]
    for axes, n in zip(panels, (54, 15), strict=True):
        assert [max(line.get_xdata()) for line in axes.lines] == [n, n]


def test_the_mode_of_batch_norm_is_said(through_training, study):
    figure = fig12_training.draw(through_training)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts] == [
        "before training (batch norm: training)",
        "at epoch 30 (batch norm: inference)",
    ]
    words = "batch norm in training mode before training, in inference mode at epoch 30"
    assert words in fig12_training.rests_on(through_training)
    alone = fig12_training.rests_on(read_tables(study))
    assert "batch norm in inference mode at epoch 30;" in alone


def test_networks_of_one_depth_are_compared_too(through_training):
    rows = through_training.gradients
    twin = rows[rows.network == "resnet"].assign(network="resnet_effective_paths")
    tables = dataclasses.replace(through_training, gradients=pd.concat([rows, twin]))
    last = fig12_training.draw(tables).axes[3]
    assert last.get_title(loc="left") == "(d) After training"
    named = [text.get_text() for text in last.get_legend().texts]
    assert named == ["resnet", "resnet_effective_paths"]
    assert "in the end: resnet_effective_paths at length" in fig12_training.finding(tables)
