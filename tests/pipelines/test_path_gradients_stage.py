"""The stage `path_gradients`, run as DVC runs it."""

import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import programs
import pytest

from pipelines.path_gradients import networks_by_epoch
from residual_ensembles import data, models
from residual_ensembles.analysis.gradient_tables import COLUMNS


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Prepared digits, and two networks with a snapshot each."""
    folder = tmp_path_factory.mktemp("gradients")
    prepared = data.prepare("digits", folder / "prepared", limit_train=80, limit_test=20)
    for name, model, depth in (("resnet", "resnet", 8), ("vgg", "vgg", 15)):
        network = folder / "networks" / f"{name}-0"
        chain = models.build(
            model, depth, prepared.picture_shape, prepared.n_classes, prepared.mean, prepared.std
        )
        for epoch in (0, 2):
            models.save(chain, network / "snapshots" / f"epoch-{epoch:04d}.keras")
        models.save(chain, network / "model.keras")
        pd.DataFrame({"epoch": [1, 2]}).to_csv(network / "history.csv", index=False)
    return folder


def run(study, *flags, results="results", **environment):
    return programs.run(*_words(study, results, *flags), **environment)


def _words(study, results, *flags):
    return (
        "pipelines.path_gradients",
        f"--data={study / 'prepared'}",
        f"--networks_dir={study / 'networks'}",
        f"--output_dir={study / results}",
        *flags,
    )


@pytest.mark.parametrize("history", ["", "epo", "loss\n1.5\n"])
def test_a_damaged_history_is_refused(tmp_path, history):
    (tmp_path / "history.csv").write_text(history)
    with pytest.raises(ValueError, match=r"history\.csv, which does not say its epochs"):
        networks_by_epoch(tmp_path)


def test_tables_of_a_study(study):
    flags = ["--samples=5", "--batches=2", "--batch_size=8", "--weights_of=2"]
    done = run(study, "--networks=resnet,vgg", *flags)
    assert done.returncode == 0, done.stderr
    assert "Gradients of 4 networks by path" in done.stdout
    tables = {s: pd.read_csv(study / f"results/path_gradients{s}.csv") for s in COLUMNS}
    for suffix, table in tables.items():
        assert list(table.columns) == list(COLUMNS[suffix])

    table = tables[""]
    ways = table.groupby(["network", "epoch", "estimator", "target"]).length.agg(list).to_dict()
    at_y0 = [("exact", "y0"), ("exact", "module_2_weights")]
    assert ways == {
        **{("resnet", epoch, "exact", "y0"): [0, 1, 2, 3] for epoch in (0, 2)},
        **{("resnet", epoch, "exact", "module_2_weights"): [0, 1] for epoch in (0, 2)},
        ("resnet", 2, "sampled", "y0"): [0, 1, 2, 3],
        **{("vgg", epoch, *at_y0[0]): [12] for epoch in (0, 2)},
        **{("vgg", epoch, *at_y0[1]): [10] for epoch in (0, 2)},
    }
    # Inference mode means nothing before training.
    assert (table.batch_norm == np.where(table.epoch == 0, "training", "inference")).all()
    assert (table.n == np.where(table.estimator == "sampled", 6, 2)).all()
    exact = table[table.estimator == "exact"]
    sums = exact.groupby(["network", "epoch", "target"]).share_projected.sum()
    np.testing.assert_allclose(sums, 1, atol=1e-5)
    np.testing.assert_allclose(
        tables["_modules"].query("network == 'vgg'").share_projected, 1, atol=1e-5
    )
    # There is one path of length 0, so its norm is that of the sum.
    shortest = table.query("network == 'resnet' and epoch == 2 and target == 'y0' and length == 0")
    assert shortest.log10_norm.iloc[0] == pytest.approx(shortest.log10_norm.iloc[1], abs=1e-6)
    kept = tables["_cancellation"]
    assert kept.log10_kept_high[0] == pytest.approx(0, abs=1e-6)
    assert (kept.log10_kept < 1e-6).all()


@pytest.mark.slow
def test_a_killed_program_is_started_again(study, tmp_path, monkeypatch):
    monkeypatch.setenv("RESIDUAL_ENSEMBLES_CHECKPOINTS", str(tmp_path))
    flags = ["--networks=resnet", "--samples=30", "--batches=30", "--batch_size=8"]
    words = [sys.executable, "-m", *_words(study, "killed", *flags)]
    first = subprocess.Popen(words)
    while not list(tmp_path.glob("gradients/*/*.npz")) and first.poll() is None:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    n_found = len(list(tmp_path.glob("gradients/*/*.npz")))
    assert not list((study / "killed").glob("*.csv"))

    second = run(study, *flags, results="killed")
    assert second.returncode == 0, second.stderr
    (line,) = (line for line in second.stdout.splitlines() if "pieces by node" in line)
    n_computed = sum(int(part.split(")")[0]) for part in line.split("(")[1:])
    # Thirty batches of sampled paths, and ten at a time of what is exact.
    assert 0 < n_computed == 33 - n_found < 33
    assert not list(tmp_path.glob("gradients/*"))

    whole = run(study, *flags, results="whole")
    assert whole.returncode == 0, whole.stderr
    for suffix in COLUMNS:
        own, other = (study / n / f"path_gradients{suffix}.csv" for n in ("killed", "whole"))
        assert own.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    ("flags", "status", "message"),
    [
        (["--networks=resnet", "--batches=0"], 2, "batches"),
        (["--networks=resnet", "--batch_norm=eval"], 2, "batch_norm"),
        (["--networks="], 1, "expected at least one network"),
        (["--networks=vgg"], 1, "'resnet' is not one of --networks=vgg"),
        (["--networks=resnet", "--seeds=x"], 1, "--seeds=x, expected whole numbers"),
        (["--networks=resnet", "--seeds=7"], 1, "resnet-7/history.csv"),
    ],
)
def test_refused_in_one_line(study, flags, status, message):
    done = run(study, *flags)
    assert done.returncode == status
    *_, last = done.stderr.strip().splitlines()
    assert last.startswith("error:")
    assert message in last
