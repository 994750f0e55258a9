"""The stage `train`, run as DVC runs it: networks side by side, however often it is interrupted."""

import os
import re

import psutil
import pytest

from pipelines import training
from pipelines.training import Prefixed, train_side_by_side
from residual_ensembles import data
from residual_ensembles.backend.threads import THREADS
from residual_ensembles.runtime import Serial
from tests.helpers import programs, small_studies


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train") / "prepared"
    data.prepare("digits", folder, limit_train=150, limit_test=40)
    return folder


def project(folder, prepared, epochs=1, biases=(-1.0, -2.0)):
    highway = {"model": "highway", "depth": 8}
    networks = {n: {**highway, "gate_bias": bias} for n, bias in zip("ab", biases, strict=True)}
    return small_studies.write(
        folder,
        prepared,
        network=networks,
        networks=list(networks),
        train={"epochs": epochs, "batch_size": 32, "snapshots": [0]},
        lesion={"networks": []},
        paths={"networks": []},
    )


def environment(folder):
    return {"RESIDUAL_ENSEMBLES_CHECKPOINTS": str(folder / "kept")}


def test_networks_are_trained_once(prepared, tmp_path):
    results = project(tmp_path, prepared)
    for begins in ("4/4 - ", "already finished"):
        done = programs.succeed("pipelines.train", folder=tmp_path, **environment(tmp_path))
        for name in ("a-0", "b-0"):
            assert re.search(rf"^{name}: {begins}", done.stdout, re.MULTILINE), done.stdout
            assert (results / "networks" / name / "run.json").exists()
        assert done.stdout.splitlines()[-1] == "2 networks: results/tiny/networks"


def test_two_networks_that_are_the_same_are_trained_once(prepared, tmp_path):
    results = project(tmp_path, prepared, biases=(-2.0, -2.0))
    done = programs.succeed("pipelines.train", folder=tmp_path, **environment(tmp_path))
    assert done.stdout.count(": 4/4 - ") == done.stdout.count("already finished") == 1
    a, b = (results / "networks" / name / "model.keras" for name in ("a-0", "b-0"))
    assert a.read_bytes() == b.read_bytes()


def test_a_killed_stage_is_resumed(prepared, tmp_path):
    results = project(tmp_path, prepared, epochs=40)
    options = {"folder": tmp_path, "n_processors": 2, **environment(tmp_path)}
    first = programs.Program("pipelines.train", **options)
    checkpoint = programs.wait_until(
        lambda: list(tmp_path.glob("kept/*/checkpoint.npz")) or not first.runs
    )
    assert checkpoint is not True, "it ended"
    started = psutil.Process(first.pid).children(recursive=True)
    first.kill()
    for process in started:
        assert programs.has_ended(process.pid)
    assert not list(results.rglob("run.json"))
    done = programs.succeed("pipelines.train", folder=tmp_path, **environment(tmp_path))
    assert "resuming at step" in done.stdout


def test_threads_depend_on_the_study_alone(monkeypatch):
    result = []

    def run(self, tasks, **_):
        result.append((len(tasks), os.environ[THREADS]))
        return []

    monkeypatch.delenv(THREADS, raising=False)
    monkeypatch.setattr(training, "processors", lambda: 8)
    monkeypatch.setattr(training.runtime, "choose_executor", lambda show: Serial())
    monkeypatch.setattr(training.data, "load", lambda folder: None)
    monkeypatch.setattr(training.backend, "configure", lambda: None)  # once in a process
    monkeypatch.setattr(Serial, "run", run)
    study = small_studies.parameters()
    study = training.Study.model_validate(study)
    one = training.PlannedRun("resnet", 0, study.settings("resnet"), study.folder("resnet", 0))
    for n in (1, 3, 8, 20):
        train_side_by_side(study, n * [one])
    assert result == [(1, "8"), (3, "2"), (8, "1"), (20, "1")]
    assert THREADS not in os.environ
    monkeypatch.setenv(THREADS, "5")
    train_side_by_side(study, [one])
    assert result[-1] == (1, "5")


def test_a_failing_network_is_named_in_one_line(prepared, tmp_path):
    project(tmp_path, prepared)
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("batch_size: 32", "batch_size: 500"))
    done = programs.run("pipelines.train", folder=tmp_path, **environment(tmp_path))
    assert done.returncode == 1
    assert re.match(r"error: [ab]-0: Received batch_size=500 for 135 training", done.stderr)
    assert done.stderr.count("\n") == 1


def test_lines_are_prefixed(capsys):
    named = Prefixed("a-0")
    print("one\ntwo", end="", file=named)
    print(" and more", file=named)
    assert capsys.readouterr().out == "a-0: one\na-0: two and more\n"
