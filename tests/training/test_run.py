import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from residual_ensembles import backend, models
from residual_ensembles.backend.threads import THREADS
from residual_ensembles.training import Outputs, Settings, finished_run, train
from residual_ensembles.training.callbacks import Recorder, snapshot_name
from residual_ensembles.training.checkpoint import Progress
from residual_ensembles.training.run import build_network, make_trainer
from tests.helpers import programs

STEPS = 30  # three epochs of ten
RESULTS = ("model.keras", "history.csv", "snapshots/epoch-0000.keras", "snapshots/epoch-0002.keras")


def start(prepared_folder, output, checkpoints, most_bytes=None):
    program = programs.Program(
        "tests.helpers.killed_run", prepared_folder, output, checkpoints, folder=output.parent
    )
    if most_bytes is not None:
        resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
    return program


def contents(folder: Path) -> dict[str, bytes]:
    """Each file of a folder, but that of the seconds."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if path.is_file() and name != "times.json"
    }


def seconds_training(folder: Path) -> float:
    return json.loads(Outputs(folder).times.read_text())["seconds_training"]


def finish(*arguments) -> str:
    done = start(*arguments).finish()
    assert done.returncode == 0, done.stderr
    return done.stdout


def kill_after_checkpoints(program, checkpoints, n_writes, delay) -> None:
    """Sends SIGKILL `delay` seconds after the checkpoint was written for the n-th time."""
    seen, last = 0, None
    while seen < n_writes and program.runs:
        files = list(checkpoints.glob("*/checkpoint.npz"))
        stamp = files[0].stat().st_mtime_ns if files else None
        if stamp != last:
            seen, last = seen + 1, stamp
        time.sleep(0.002)
    time.sleep(delay)
    assert program.kill().returncode == -signal.SIGKILL  # and not finished by itself


def equal_results(a: Path, b: Path) -> None:
    for name in RESULTS:
        assert (a / name).read_bytes() == (b / name).read_bytes(), name


@pytest.fixture(scope="module")
def unbroken(prepared_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    finish(prepared_folder, folder / "out", folder / "checkpoints")
    return folder / "out"


def run_with_kills(prepared_folder, folder, kills):
    checkpoints, out = folder / "checkpoints", folder / "out"
    for n_writes, delay in kills:
        program = start(prepared_folder, out, checkpoints)
        kill_after_checkpoints(program, checkpoints, n_writes, delay)
    printed = finish(prepared_folder, out, checkpoints)
    return out, printed


def test_a_killed_and_resumed_run_ends_in_the_same_bytes(prepared_folder, unbroken, tmp_path):
    # Within the first epoch, and again around the end of one.
    out, printed = run_with_kills(prepared_folder, tmp_path, [(4, 0.0), (9, 0.0)])
    step = int(re.search(rf"resuming at step (\d+) of {STEPS}", printed)[1])
    assert 10 <= step < STEPS
    equal_results(out, unbroken)


@pytest.mark.slow
def test_ten_kills_at_random_moments(prepared_folder, unbroken, tmp_path):
    choose = random.Random(0)
    for i in range(10):
        folder = tmp_path / str(i)
        folder.mkdir()
        kills = [(choose.randint(1, 25), choose.uniform(0.0, 0.05))]
        out, _ = run_with_kills(prepared_folder, folder, kills)
        equal_results(out, unbroken)


@pytest.fixture(scope="module")
def trained(prepared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    settings = Settings(model="highway", depth=8, epochs=2, batch_size=50, snapshots=(0, 1, 2))
    return settings, folder, train(prepared, settings, folder / "out", folder / "ck", "highway")


def test_a_run_leaves_its_results(trained, prepared):
    settings, folder, run = trained
    outputs = Outputs(folder / "out")
    history = pd.read_csv(outputs.history)
    assert list(history["epoch"]) == [1, 2]
    assert list(history["step"]) == [4, 8]
    assert run["validation_error_fraction"] == pytest.approx(
        history["validation_error_fraction"].iloc[-1]
    )
    chain, test = models.load(outputs.model), prepared.split("test")
    wrong = np.asarray(chain(test.array)).argmax(axis=1) != test.labels
    assert run["test_error_fraction"] == pytest.approx(wrong.mean())
    assert run["n_modules"] == 3
    assert run["downsampling"] == [2, 3]
    assert run["dataset"]["n_classes"] == 10
    assert run["n_parameters"] == chain.count_params()
    assert run["epochs"] == settings.epochs
    assert run["versions"]["keras"]


def test_snapshots_are_the_network_before_during_and_after(trained):
    _, folder, _ = trained
    outputs = Outputs(folder / "out")
    networks = [models.load(outputs.snapshots / snapshot_name(e)) for e in (0, 1, 2)]
    networks.append(models.load(outputs.model))
    kernels = [np.asarray(n.stem.layers[1].kernel) for n in networks]
    assert np.any(kernels[0] != kernels[1])
    assert np.any(kernels[1] != kernels[2])
    np.testing.assert_array_equal(kernels[2], kernels[3])


def test_gates_before_and_after_training(trained):
    _, folder, _ = trained
    gates = pd.read_csv(Outputs(folder / "out").gates)
    before, after = (gates[gates["when"] == when]["mean_gate"] for when in ("before", "after"))
    np.testing.assert_allclose(before, 1 / (1 + np.exp(2.0)), rtol=1e-5)
    assert len(before) == len(after) == 3
    assert np.all(np.abs(after.to_numpy() - before.to_numpy()) > 1e-6)


def test_a_finished_run_is_not_repeated(trained, prepared, capsys):
    settings, folder, run = trained
    again = train(prepared, settings, folder / "elsewhere", folder / "ck", "highway")
    printed = capsys.readouterr().out
    assert "already finished" in printed
    assert "Epoch" not in printed
    assert again == run
    assert contents(folder / "elsewhere") == contents(folder / "out")
    assert seconds_training(folder / "elsewhere") == seconds_training(folder / "out") > 0
    assert [path.name for path in (folder / "ck" / run["fingerprint"]).iterdir()] == ["finished"]


def test_damaged_results_are_copied_again_from_the_checkpoints(trained, prepared, capsys):
    settings, folder, _ = trained
    before = contents(folder / "out")
    for name in before:
        (folder / "out" / name).write_bytes(b"")
        assert finished_run(prepared, settings, folder / "out") is None
        train(prepared, settings, folder / "out", folder / "ck", "highway")
        assert "Epoch" not in capsys.readouterr().out
        assert contents(folder / "out") == before


def test_damaged_checkpoints_are_trained_again(trained, prepared, tmp_path, capsys):
    settings, folder, run = trained
    shutil.copytree(folder / "ck", tmp_path / "ck")
    kept = Outputs(tmp_path / "ck" / run["fingerprint"] / "finished")
    kept.model.write_bytes(kept.model.read_bytes()[:-100])
    train(prepared, settings, tmp_path / "out", tmp_path / "ck", "highway")
    printed = capsys.readouterr().out
    assert "damaged results are made again" in printed
    assert "Epoch" in printed
    assert contents(tmp_path / "out") == contents(folder / "out")


def test_a_run_without_its_snapshots_starts_afresh(trained, prepared, tmp_path, capsys):
    settings, folder, run = trained
    trainer, feed = make_trainer(settings, prepared)
    place = tmp_path / "ck" / run["fingerprint"]
    recorder = Recorder(place, Progress(), feed.steps_per_epoch, (0, 1, 2))
    recorder.set_model(trainer)
    recorder.save_snapshot(0)
    recorder.on_train_begin()
    recorder.checkpoint()
    assert recorder.resume()
    (place / "snapshots" / snapshot_name(0)).write_bytes(b"")
    train(prepared, settings, tmp_path / "out", tmp_path / "ck", "highway")
    printed = capsys.readouterr().out
    assert "epoch-0000.keras is damaged: training begins anew" in printed
    assert "resuming" not in printed
    assert contents(tmp_path / "out") == contents(folder / "out")


def test_equal_trainings_leave_equal_folders(prepared_folder, tmp_path):
    """Save for the seconds they took; with DVC's logs, whatever order Python gives a set."""
    git = ["git", "-c", "user.name=tester", "-c", "user.email=tester@example.org"]
    for command in (
        [*git, "init", "--quiet"],
        [sys.executable, "-m", "dvc", "init", "--quiet"],
        [*git, "commit", "--quiet", "--message", "start"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True)
    result = []
    for hash_seed in ("1", "2"):
        out = tmp_path / f"out{hash_seed}"
        checkpoints = tmp_path / f"checkpoints{hash_seed}"
        subprocess.run(
            [sys.executable, "-m", "tests.helpers.killed_run", prepared_folder, out, checkpoints],
            cwd=tmp_path,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, THREADS: "1"},
        )
        result.append(contents(out))
        again = tmp_path / f"again{hash_seed}"
        finish(prepared_folder, again, checkpoints)
        assert contents(again) == result[-1]
        assert seconds_training(again) == seconds_training(out)
    assert result[0] == result[1]
    assert "live/metrics.json" in result[0]


def test_a_disk_that_is_full_is_named_and_nothing_looks_finished(
    prepared_folder, unbroken, tmp_path
):
    checkpoints, out = tmp_path / "checkpoints", tmp_path / "out"
    done = start(prepared_folder, out, checkpoints, most_bytes=100_000).finish()
    assert done.returncode == 1
    assert re.search(rf"^error: The disk is full at {checkpoints}/.*\.keras", done.stderr, re.M)
    assert not list(tmp_path.rglob(".partial-*"))
    assert not list(tmp_path.rglob("manifest.json"))
    finish(prepared_folder, out, checkpoints)
    equal_results(out, unbroken)


def test_another_setting_starts_afresh(trained, prepared, capsys):
    settings, folder, run = trained
    changed = Settings(**{**settings.as_dict(), "snapshots": (0,), "learning_rate": 0.05})
    again = train(prepared, changed, folder / "changed", folder / "ck", "highway")
    assert "resuming" not in capsys.readouterr().out
    assert again["fingerprint"] != run["fingerprint"]


def test_bfloat16_that_cannot_be_computed_is_refused(prepared, monkeypatch):
    monkeypatch.setattr(backend, "bfloat16_problem", lambda: "there is none")
    with pytest.raises(ValueError, match="precision='mixed_bfloat16'"):
        build_network(Settings(depth=8, precision="mixed_bfloat16"), prepared)
    assert build_network(Settings(depth=8), prepared).modules
