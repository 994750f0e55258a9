import pytest

from residual_ensembles.analysis import read_tables
from residual_ensembles.figures.fig11_modules import rows


def test_a_row_for_each_network_of_as_many_modules(study):
    result = dict(rows(read_tables(study)))
    assert list(result) == [
        "resnet",
        "resnet_effective_paths",
        "resnet_stochastic_depth",
        "highway",
        "authors",
        "authors, stochastic",
    ]
    assert result["authors"][0] == pytest.approx(42.15 - 6.032)
    assert result["resnet"][0] > 50
