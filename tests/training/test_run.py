import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from residual_ensembles import backend, models
from residual_ensembles.training import Outputs, Settings, build_network, train
from residual_ensembles.training.callbacks import snapshot_name

SCRIPT = Path(__file__).with_name("killed_run.py")
STEPS = 30  # three epochs of ten
RESULTS = ("model.keras", "history.csv", "snapshots/epoch-0000.keras", "snapshots/epoch-0002.keras")


def start(prepared_folder, output, checkpoints):
    arguments = [sys.executable, SCRIPT, prepared_folder, output, checkpoints]
    return subprocess.Popen(
        [str(a) for a in arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        cwd=output.parent,
    )


def finish(*arguments) -> str:
    process = start(*arguments)
    printed = process.communicate(timeout=300)[0]
    assert process.returncode == 0, printed
    return printed


def kill_after_checkpoints(process, checkpoints, n_writes, delay) -> None:
    """Sends SIGKILL `delay` seconds after the checkpoint was written for the n-th time."""
    seen, last = 0, None
    while seen < n_writes and process.poll() is None:
        files = list(checkpoints.glob("*/checkpoint.npz"))
        stamp = files[0].stat().st_mtime_ns if files else None
        if stamp != last:
            seen, last = seen + 1, stamp
        time.sleep(0.002)
    time.sleep(delay)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL  # and not finished by itself


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
        process = start(prepared_folder, out, checkpoints)
        kill_after_checkpoints(process, checkpoints, n_writes, delay)
    printed = finish(prepared_folder, out, checkpoints)
    return out, printed


def test_killed_and_started_again_it_ends_in_the_same_bytes(prepared_folder, unbroken, tmp_path):
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


def test_results(trained, prepared):
    settings, folder, run = trained
    outputs = Outputs(folder / "out")
    history = pd.read_csv(outputs.history)
    assert list(history["epoch"]) == [1, 2]
    assert list(history["step"]) == [4, 8]
    assert run["validation_error_fraction"] == pytest.approx(
        history["validation_error_fraction"].iloc[-1]
    )
    chain, test = models.load(outputs.model), prepared.part("test")
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


def test_a_finished_run_is_found_and_not_repeated(trained, prepared, capsys):
    settings, folder, run = trained
    again = train(prepared, settings, folder / "elsewhere", folder / "ck", "highway")
    printed = capsys.readouterr().out
    assert "already finished" in printed
    assert "Epoch" not in printed
    assert again["seconds_training"] == run["seconds_training"]
    for name in ("model.keras", "history.csv", "gates.csv"):
        a, b = (folder / where / name for where in ("out", "elsewhere"))
        assert a.read_bytes() == b.read_bytes()


def test_another_setting_starts_afresh(trained, prepared, capsys):
    settings, folder, run = trained
    changed = Settings(**{**settings.as_dict(), "snapshots": (0,), "learning_rate": 0.05})
    again = train(prepared, changed, folder / "changed", folder / "ck", "highway")
    assert "resuming" not in capsys.readouterr().out
    assert again["fingerprint"] != run["fingerprint"]


def test_bfloat16_that_cannot_be_computed_is_refused(prepared, monkeypatch):
    monkeypatch.setattr(backend, "bfloat16_problem", lambda: "there is none")
    with pytest.raises(
        ValueError, match="precision='mixed_bfloat16', expected float32: there is n"
    ):
        build_network(Settings(depth=8, precision="mixed_bfloat16"), prepared)
    assert build_network(Settings(depth=8), prepared).modules
