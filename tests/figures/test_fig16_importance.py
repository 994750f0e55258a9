import numpy as np
import pandas as pd
import pytest

from residual_ensembles.analysis import read_tables
from residual_ensembles.figures.fig16_importance import FIGURE, rank_correlation


@pytest.fixture
def tables(study, tmp_path):
    """A study of which the importance of four modules is known."""
    (tmp_path / "lesions.csv").write_text((study / "lesions.csv").read_text())
    module_importance = pd.DataFrame(
        {
            "network": "resnet",
            "seed": 0,
            "module": [1, 2, 3, 4],
            "block_influence": [0.1, 0.2, 0.3, 0.4],
            "first_order": [0.0, 0.3, 0.2, 0.1],
            "loss_increase": [0.1, 0.9, 0.5, 0.6],
        }
    )
    module_importance.to_csv(tmp_path / "module_importance.csv", index=False)
    return read_tables(tmp_path)


def test_points_lie_where_the_table_says(tables):
    figure = FIGURE.draw(tables)
    left, right = figure.axes
    assert left.lines[0].get_xydata().tolist() == [[0.1, 0.1], [0.2, 0.9], [0.3, 0.5], [0.4, 0.6]]
    assert right.lines[0].get_xdata().tolist() == [0.0, 0.3, 0.2, 0.1]
    assert left.get_legend().get_texts()[0].get_text() == "resnet, rank correlation 0.40"
    assert {text.get_text() for text in left.texts} == {"2", "3", "4"}  # those that cost most
    assert FIGURE.rests_on(tables) == "resnet: 4 modules"
    assert FIGURE.finding(tables) == (
        "resnet: rank correlation with the true cost 0.40 for block influence, 0.80 for the "
        "first-order estimate."
    )


def test_it_is_wanted_where_there_is_something_to_show(tables, study):
    assert FIGURE.wanted(tables)
    assert not FIGURE.wanted(read_tables(study))


def test_too_few_modules_have_no_rank_correlation(tables):
    assert np.isnan(rank_correlation(tables.module_importance.head(2), "first_order"))
