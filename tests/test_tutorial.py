"""The tutorial in docs/, run from top to bottom."""

import re
from pathlib import Path

import keras
from matplotlib import pyplot

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorials" / "your-own-network.md"


def test_the_tutorial_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pyplot.switch_backend("agg")
    blocks = re.findall(r"```python\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 8
    names: dict = {}
    for block in blocks:
        exec(compile(block, str(TUTORIAL), "exec"), names)  # noqa: S102 - a file of this project
    table = names["table"]
    assert table["name"].tolist() == ["", "first", "second", "third", "fourth"]
    assert table["error_fraction"].iloc[0] < 0.15  # it learned
    assert table["error_fraction"].iloc[1:].max() > table["error_fraction"].iloc[0]
    steps = names["smaller"].steps
    assert names["axes"].lines[0].get_ydata().tolist() == (100 * steps.error_fraction).tolist()
    assert abs(names["by_length"]["share"].sum() - 1) < 1e-5
    assert [len(modules) for modules in names["sampled"]["modules"]] == [1, 1, 3, 3]
    assert names["probabilities"].shape == (5, 10)
    smaller = keras.models.load_model(tmp_path / "smaller.keras")
    assert smaller.count_params() < names["model"].count_params()
    assert "mine: 4 modules" in capsys.readouterr().out
    pyplot.close("all")
