"""Training and path gradients on a cluster."""

import os

import pandas as pd
import pytest

from residual_ensembles import models
from residual_ensembles.analysis.gradient_tables import COLUMNS
from residual_ensembles.runtime.choose import ENGINE
from residual_ensembles.runtime.commands import run_command
from residual_ensembles.runtime.executor import Task
from residual_ensembles.storage import checkpoints


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
    flags = [
        "pipelines.path_gradients",
        f"--data={prepared.folder}",
        f"--networks_dir={tmp_path / 'networks'}",
        *("--networks=resnet", "--batches=12", "--samples=3600", "--batch_size=4"),
    ]
    for engine in ("local", "ray"):
        done = program(*flags, f"--output_dir={tmp_path / engine}", **{ENGINE: engine})
        printed, _ = done.communicate()
        assert done.returncode == 0, printed
        # Two pieces of both epochs, and two ranges of lengths of each of twelve batches.
        (line,) = (line for line in printed.splitlines() if "pieces by node" in line)
        counts = [int(part.split(")")[0]) for part in line.split("(")[1:]]
        assert sum(counts) == 2 + 24
    for suffix in COLUMNS:
        name = f"path_gradients{suffix}.csv"
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()
        assert (tmp_path / "ray" / name).stat().st_size > 100


def test_networks_are_trained_wherever_there_is_room(ray_executor, prepared, kept, tmp_path):
    command = (
        "python -m residual_ensembles.train --depth=8 --epochs=1 --batch_size=16 "
        "--dataset={} --seed={} --output_dir=networks/{}"
    )
    tasks = [
        Task(
            name,
            run_command,
            lambda n=name, seed=seed: (
                n,
                command.format(prepared.folder, seed, n),
                str(tmp_path),
                1,
            ),
        )
        for seed, name in enumerate(("a", "b"))
    ]
    ray_executor.run(tasks)
    assert len(ray_executor.nodes) == 2
    assert len(list(kept.glob("*/finished/model.keras"))) == 2
    assert not (tmp_path / ".checkpoints").exists()
    for name in ("a", "b"):
        assert (tmp_path / "networks" / name / "run.json").exists()


@pytest.mark.parametrize(
    ("command", "folder", "message"),
    [
        ("echo so far; exit 3", "", "it ended with 3; its last line: so far"),
        ("true", "/nowhere/at/all", "does not reach /nowhere/at/all"),
    ],
)
def test_a_run_that_does_not_end_well(ray_executor, tmp_path, command, folder, message):
    with pytest.raises(OSError, match=f"network: failed 3 times, .*{message}"):
        ray_executor.run(
            [Task("network", run_command, lambda: ("n", command, folder or str(tmp_path), 1))]
        )
