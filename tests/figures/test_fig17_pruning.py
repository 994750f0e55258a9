import pandas as pd

from residual_ensembles.analysis import read_tables
from residual_ensembles.figures.fig17_pruning import FIGURE


def test_curves_lie_where_the_table_says(study, tmp_path):
    (tmp_path / "lesions.csv").write_text((study / "lesions.csv").read_text())
    steps = {"network": "resnet", "seed": 0, "module": [0, 4, 2], "n_examples": 50}
    steps |= {"name": ["", "add4", "add2"], "error_fraction": [0.1, 0.12, 0.2], "loss": [1, 2, 3]}
    pd.DataFrame(steps).to_csv(tmp_path / "pruned_steps.csv", index=False)
    tables = read_tables(tmp_path)
    (axes,) = FIGURE.draw(tables).axes
    points = axes.lines[0].get_xydata().round(6).tolist()
    assert points == [[0, 10], [1, 12], [2, 20]]
    assert [text.get_text() for text in axes.texts] == ["4", "2"]
    assert FIGURE.wanted(tables)
    assert FIGURE.rests_on(tables).startswith("50 images")
    assert FIGURE.finding(tables) == "resnet: 10.0 % to 20.0 % without 4, 2."


def test_each_seed_has_a_curve(study, tmp_path):
    (tmp_path / "lesions.csv").write_text((study / "lesions.csv").read_text())
    steps = {"network": "resnet", "seed": [0, 0, 1, 1], "module": [0, 4, 0, 2], "n_examples": 50}
    steps |= {"name": "", "error_fraction": [0.1, 0.2, 0.1, 0.3], "loss": 1.0}
    pd.DataFrame(steps).to_csv(tmp_path / "pruned_steps.csv", index=False)
    (axes,) = FIGURE.draw(read_tables(tmp_path)).axes
    assert [line.get_ydata().round(6).tolist() for line in axes.lines] == [[10, 20], [10, 30]]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["resnet, seed 0", "resnet, seed 1"]


def test_a_study_without_pruning_does_not_show_it(study):
    assert not FIGURE.wanted(read_tables(study))
