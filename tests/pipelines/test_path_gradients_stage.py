"""The stage `path_gradients`, run as DVC runs it."""

import numpy as np
import pandas as pd
import pytest

from residual_ensembles import data, models
from residual_ensembles.paths.study.gradient_tables import COLUMNS
from residual_ensembles.stages.gradients import networks_by_epoch
from tests.helpers import programs, small_studies


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Prepared digits, and two networks with a snapshot each."""
    folder = tmp_path_factory.mktemp("gradients")
    prepared = data.prepare("digits", folder / "prepared", limit_train=80, limit_test=20)
    for name, model, depth in (("resnet", "resnet", 8), ("vgg", "vgg", 15)):
        network = folder / "networks" / f"{name}-0"
        chain = models.build(
            model, depth, prepared.image_shape, prepared.n_classes, prepared.mean, prepared.std
        )
        for epoch in (0, 2):
            models.save(chain, network / "snapshots" / f"epoch-{epoch:04d}.keras")
        models.save(chain, network / "model.keras")
        pd.DataFrame({"epoch": [1, 2]}).to_csv(network / "history.csv", index=False)
    return folder


def project(study, output, networks, **paths):
    """A folder to run the stage in, with the data and the networks, and that of its results."""
    known = {"resnet": {"depth": 8}, "vgg": {"model": "vgg", "depth": 15}}
    paths = {"networks": ["resnet"], "batch_size": 8, **paths}
    changes = {"network": known, "networks": networks, "paths": paths, "lesion": {"networks": []}}
    folder = study / output
    return folder, small_studies.write(folder, study / "prepared", study / "networks", **changes)


def run(folder, **environment):
    return programs.run("pipelines.path_gradients", folder=folder, **environment)


@pytest.mark.parametrize("history", ["", "epo", "loss\n1.5\n"])
def test_a_damaged_history_is_refused(tmp_path, history):
    (tmp_path / "history.csv").write_text(history)
    with pytest.raises(ValueError, match=r"history\.csv"):
        networks_by_epoch(tmp_path)


def test_tables_of_a_study(study):
    paths = {"samples": 5, "batches": 2, "weights_of_module": 2}
    folder, results = project(study, "tables", ["resnet", "vgg"], **paths)
    done = run(folder)
    assert done.returncode == 0, done.stderr
    assert "Gradients of 4 networks by path" in done.stdout
    tables = {s: pd.read_csv(results / f"path_gradients{s}.csv") for s in COLUMNS}
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
    asked = ["resnet"], {"samples": 30, "batches": 30}
    folder, killed = project(study, "killed", asked[0], **asked[1])
    first = programs.Program("pipelines.path_gradients", folder=folder)
    programs.wait_until(lambda: list(tmp_path.glob("gradients/*/[!.]*.result")) or not first.runs)
    first.kill()
    n_cached = len(list(tmp_path.glob("gradients/*/[!.]*.result")))
    assert not list(killed.glob("*.csv"))

    second = run(folder)
    assert second.returncode == 0, second.stderr
    (line,) = (line for line in second.stdout.splitlines() if "tasks by node" in line)
    n_computed = sum(int(split.split(")")[0]) for split in line.split("(")[1:])
    # Thirty batches of sampled paths, and ten at a time of what is exact.
    assert 0 < n_computed == 33 - n_cached < 33
    assert not list(tmp_path.glob("gradients/*"))

    folder, full = project(study, "whole", asked[0], **asked[1])
    done = run(folder)
    assert done.returncode == 0, done.stderr
    for suffix in COLUMNS:
        own, other = (n / f"path_gradients{suffix}.csv" for n in (killed, full))
        assert own.read_bytes() == other.read_bytes()


def test_a_missing_network_is_refused_in_one_line(study):
    folder, _ = project(study, "refused", ["resnet"])
    params = folder / "params.yaml"
    params.write_text(params.read_text().replace("seeds:\n- 0", "seeds:\n- 7"))
    done = run(folder)
    assert done.returncode == 1
    *_, last = done.stderr.strip().splitlines()
    assert last.startswith("error:")
    assert "resnet-7, in which no training has been finished" in last
