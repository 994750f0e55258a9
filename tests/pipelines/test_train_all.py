import signal
import subprocess
import sys
import time

import programs
import pytest
from dvc.repo import Repo

from pipelines.train_all import Runs, on_what, record, unfinished, with_members


def test_all_run_and_those_that_fail_are_named(capsys):
    commands = {"a": "echo done", "b": "echo no; exit 3", "c": "echo $RESIDUAL_ENSEMBLES_THREADS"}
    well = []
    Runs(2, 5).all(commands, well.append)
    assert sorted(well) == ["a", "c"]
    lines = capsys.readouterr().out.splitlines()
    assert sorted(lines) == ["a: done", "b: no", "c: 5"]


def test_members_are_trained_last_in_as_many_groups_as_run_at_once():
    commands = {"resnet-0": "a", "ensemble": "vote", "vgg-0": "b"}
    others = {"resnet-0": "a", "vgg-0": "b"}
    groups = {"members 1,3": "vote --only=1,3", "members 2": "vote --only=2"}
    assert list(with_members(commands, 3, 2).items()) == [*others.items(), *groups.items()]
    assert with_members(commands, 3, 1) == {**others, "members 1,2,3": "vote --only=1,2,3"}
    assert len(with_members({"ensemble": "vote"}, 3, 16)) == 3
    assert with_members(commands, 0, 2) == others
    assert with_members(others, 3, 2) == others


def test_as_many_at_once_as_told(tmp_path):
    meet = "touch {0}; for i in $(seq 100); do test -e {1} && exit 0; sleep 0.1; done; exit 1"
    a, b = tmp_path / "a", tmp_path / "b"
    well = []
    Runs(2, 1).all({"a": meet.format(a, b), "b": meet.format(b, a)}, well.append)
    assert sorted(well) == ["a", "b"]


def test_what_it_started_ends_with_it(tmp_path):
    pid = tmp_path / "pid"
    script = (
        "import signal, sys\n"
        "from pipelines.train_all import Runs\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        f"Runs(1, 1).all({{'a': 'sleep 300 & echo $! > {pid}; wait'}}, print)\n"
    )
    program = subprocess.Popen([sys.executable, "-c", script])
    while not (pid.exists() and pid.read_text().strip()):
        time.sleep(0.05)
    program.send_signal(signal.SIGTERM)
    assert program.wait(timeout=30) == 143
    assert programs.has_ended(int(pid.read_text()))


@pytest.fixture
def pipeline(tmp_path, monkeypatch):
    """Two stages that write how many epochs they were told."""
    monkeypatch.chdir(tmp_path)
    Repo.init(no_scm=True).close()
    (tmp_path / "params.yaml").write_text("epochs: 1\n")
    (tmp_path / "data").write_text("pictures")
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n"
        "  train:\n"
        "    matrix: {network: [a, b]}\n"
        "    cmd: echo ${epochs} > ${item.network}\n"
        "    deps: [data]\n"
        "    outs:\n"
        "    - ${item.network}\n"
    )
    return tmp_path


def trained():
    stages = unfinished()
    before = {name: on_what(stage) for name, stage in stages.items()}
    well = []
    Runs(1, 1).all({name: stage.cmd for name, stage in stages.items()}, well.append)
    assert well == list(stages)
    return before


def test_what_was_trained_is_recorded(pipeline):
    before = trained()
    assert list(before) == ["a", "b"]
    record({"a": before["a"]})
    assert list(unfinished()) == ["b"]
    record(before)
    assert unfinished() == {}


@pytest.mark.parametrize(("file", "text"), [("params.yaml", "epochs: 2\n"), ("data", "others")])
def test_what_changed_meanwhile_is_not(pipeline, file, text):
    before = trained()
    (pipeline / file).write_text(text)
    record(before)
    assert list(unfinished()) == ["a", "b"]
