"""Training and path gradients on a cluster."""

import os
from pathlib import Path

import pandas as pd
import pytest

from pipelines.training import PlannedRun, train_one
from residual_ensembles import models
from residual_ensembles.paths.study.gradient_tables import COLUMNS
from residual_ensembles.runtime.choose import ENGINE
from residual_ensembles.runtime.executor import Task
from residual_ensembles.storage import checkpoints
from residual_ensembles.training import Settings
from tests.helpers import small_studies


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Where checkpoints are kept."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def environment(environment, kept):
    """Says so too, as seen from here, which is not where tasks run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(checkpoints.VARIABLE, os.path.relpath(kept))
        yield


def test_tables_of_gradients_are_those_of_one_machine(
    environment, chain, prepared, tmp_path, program
):
    network = tmp_path / "networks" / "resnet-0"
    models.save(chain, network / "model.keras")
    models.save(chain, network / "snapshots" / "epoch-0000.keras")
    pd.DataFrame({"epoch": [1]}).to_csv(network / "history.csv", index=False)
    paths = {"batches": 12, "samples": 3600, "batch_size": 4}
    for engine in ("local", "ray"):
        small_studies.write(tmp_path / engine, prepared.folder, tmp_path / "networks", paths=paths)
        done = program("pipelines.path_gradients", tmp_path / engine, **{ENGINE: engine})
        printed, _ = done.communicate()
        assert done.returncode == 0, printed
        # Two tasks of both epochs, and two ranges of lengths of each of twelve batches.
        (line,) = (line for line in printed.splitlines() if "tasks by node" in line)
        counts = [int(split.split(")")[0]) for split in line.split("(")[1:]]
        assert sum(counts) == 2 + 24
    for suffix in COLUMNS:
        name = f"results/{small_studies.NAME}/path_gradients{suffix}.csv"
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()
        assert (tmp_path / "ray" / name).stat().st_size > 100


def task(prepared, project, kept, name, seed=0) -> Task:
    what = Settings(depth=8, epochs=1, batch_size=16, seed=seed)
    run = PlannedRun(name, seed, what, Path("networks") / name)
    return Task(name, train_one, lambda: (run, prepared.folder, project, kept))


def test_networks_are_trained_wherever_there_is_room(ray_executor, prepared, kept, tmp_path):
    tasks = [task(prepared, tmp_path, kept, name, seed) for seed, name in enumerate("ab")]
    ray_executor.run(tasks)
    assert len(ray_executor.nodes) == 2
    assert len(list(kept.glob("*/finished/model.keras"))) == 2
    assert not (tmp_path / ".checkpoints").exists()
    for name in "ab":
        assert (tmp_path / "networks" / name / "run.json").exists()


def test_a_folder_that_a_node_does_not_reach(ray_executor, prepared, kept):
    message = "a: failed 3 times, .* does not reach /nowhere/at/all"
    with pytest.raises(OSError, match=message):
        ray_executor.run([task(prepared, Path("/nowhere/at/all"), kept, "a")])
