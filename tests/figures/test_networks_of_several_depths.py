"""A study of several plain networks of other depths than the paper's: each is told apart."""

import numpy as np
import pytest

from residual_ensembles.analysis import read_tables
from residual_ensembles.figures import (
    authors,
    fig3_single_deletion,
    fig5_random_lesions,
    fig6_path_gradients,
    fig8_stochastic_depth,
    fig11_modules,
    style,
)
from tests.helpers import networks_of_others
from tests.helpers.networks_of_others import MODULES


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return read_tables(networks_of_others.write(tmp_path_factory.mktemp("results") / "four"))


def test_each_depth_has_a_panel_with_the_authors_network_of_that_depth(tables):
    *panels, vgg = fig3_single_deletion.draw(tables).axes
    assert [axes.get_title(loc="left") for axes in panels] == list(MODULES)
    for axes, (network, n) in zip(panels, MODULES.items(), strict=True):
        theirs, ours, *_ = axes.lines
        points = authors.points(network, "delete")
        np.testing.assert_allclose(theirs.get_ydata(), 100 * points.error_mean)
        assert list(theirs.get_xdata()) == list(ours.get_xdata()) == list(range(1, n + 1))
    assert len(vgg.lines[0].get_xdata()) == 12


def test_networks_of_one_panel_differ_in_color(tables):
    for axes in fig5_random_lesions.draw(tables).axes:
        named = {line.get_label(): line for line in axes.lines}
        colors = {name.split(":")[0]: line.get_color() for name, line in named.items()}
        assert len({colors[network] for network in MODULES}) == len(MODULES)


def test_gradients_have_a_row_for_each_depth(tables):
    panels = fig6_path_gradients.draw(tables).axes
    assert [axes.get_title(loc="left") for axes in panels[::3]] == [
        f"(a) Paths of {name}" for name in MODULES
    ]
    for axes, n in zip(panels[2::3], MODULES.values(), strict=True):
        assert axes.get_xlim() == (-0.5, n + 0.5)
        assert len(axes.lines) == 3  # readings of one network


def test_the_heat_map_has_each_network_and_the_authors_as_deep(tables):
    result = dict(fig11_modules.rows(tables))
    assert list(result)[:4] == list(MODULES)
    assert {"authors, ResNet-20", "authors, ResNet-56, stochastic"} <= set(result)
    assert [len(result[network]) for network in MODULES] == list(MODULES.values())
    (mesh,) = fig11_modules.draw(tables).axes[0].collections
    shown = mesh.get_array()
    assert shown.shape == (len(result), 27)
    assert shown[0].count() == 9  # the row of a shallow network ends early


def test_stochastic_depth_is_no_matter_of_networks_of_others(tables, study):
    assert not fig8_stochastic_depth.FIGURE.wanted(tables)
    assert fig8_stochastic_depth.FIGURE.wanted(read_tables(study))


def test_without_networks_there_is_the_papers_depth(tmp_path):
    assert style.by_depth(read_tables(tmp_path)) == {54: []}
