import json

import pytest

from residual_ensembles.storage.files import MANIFEST
from residual_ensembles.training import Outputs

RUN = {"fingerprint": "abc", "test_error_fraction": 0.25}


@pytest.fixture
def outputs(tmp_path):
    outputs = Outputs(tmp_path / "run")
    for file in (outputs.model, outputs.history, outputs.snapshots / "epoch-0000.keras"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"epoch,error_fraction\n1,0.1{'' if file == outputs.history else 'x'}\n")
    outputs.finish("abc", RUN, {"seconds_training": 3.5})
    return outputs


def test_an_intact_run_is_finished(outputs):
    assert outputs.finished("abc") == RUN
    assert outputs.finished("abd") is None
    assert json.loads(outputs.times.read_text()) == {"fingerprint": "abc", "seconds_training": 3.5}
    outputs.times.unlink()  # no result
    assert outputs.finished("abc") == RUN


@pytest.mark.parametrize("damage", ["empty", "truncated", "another", "missing"])
@pytest.mark.parametrize(
    "name", ["model.keras", "history.csv", "run.json", "snapshots/epoch-0000.keras"]
)
def test_a_damaged_run_is_not_finished_and_one_line_says_why(outputs, name, damage, capsys):
    path = outputs.folder / name
    content = path.read_bytes()
    changed = {"empty": b"", "truncated": content[:-1], "another": content[::-1], "missing": None}
    path.unlink()
    if changed[damage] is not None:
        path.write_bytes(changed[damage])
    assert outputs.finished("abc") is None
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"damaged results are made again: {path} ")


@pytest.mark.parametrize("written", ["", "{", "[]", "5", "null", '{"fingerprint": "abc"}'])
def test_a_run_with_a_damaged_manifest_is_not_finished(outputs, written):
    (outputs.folder / MANIFEST).write_text(written)
    assert outputs.finished("abc") is None


def test_a_killed_run_is_not_finished(outputs):
    (outputs.folder / MANIFEST).unlink()
    assert outputs.finished("abc") is None


def test_a_copied_run_is_finished(outputs, tmp_path):
    place = Outputs(tmp_path / "copied")
    assert outputs.copy_to(place, "NA") == {"network": "NA", **RUN}
    assert place.finished("abc") == {"network": "NA", **RUN}
    assert place.times.read_bytes() == outputs.times.read_bytes()
    outputs.times.write_text("damaged, and no result")
    outputs.copy_to(place, "NA")
    assert place.finished("abc")


def test_clearing_removes_all_that_identifies_a_run(outputs):
    (outputs.folder / ".partial-x.keras").write_text("of a killed process")
    (outputs.folder / "notes.txt").write_text("of a person")
    outputs.clear()
    left = {path.name for path in outputs.folder.iterdir()}
    assert left == {"model.keras", "history.csv", "notes.txt"}


def test_history_is_read_to_the_last_digit(outputs):
    outputs.history.write_text("epoch,loss\n1,1.4426950408889635\n2,0.30102999566398124\n")
    losses = [row["loss"] for row in outputs.read_history()]
    assert losses == [1.4426950408889635, 0.30102999566398124]
