"""Sweeps on a cluster: the tables of one machine, whatever dies meanwhile."""

import signal

import pandas as pd
import pytest

from residual_ensembles import models
from residual_ensembles.lesions import SweepSettings, study_plan
from residual_ensembles.lesions.engine import lesion_groups
from residual_ensembles.lesions.sweep import PlannedNetwork, sweep
from residual_ensembles.runtime.choose import ENGINE
from residual_ensembles.runtime.result_cache import ResultCache
from residual_ensembles.storage.files import write_csv
from tests.helpers import programs, small_studies

PLAN = {"k": 3, "draws": 3, "swaps": 2, "duplications": 2, "seed": 0, "random": True}


@pytest.fixture(autouse=True)
def many_tasks(monkeypatch):
    monkeypatch.setattr(lesion_groups, "CHUNK_MULTIPLY_ADDS", 1.0)
    monkeypatch.setattr(lesion_groups, "PASSES_IN_CHUNK", 4)


def planned(chain, prepared, folder, executor, kept=ResultCache, **options):
    """Returns the bytes of all files of a sweep of a network under two names."""
    networks = [
        PlannedNetwork(name, 0, chain, study_plan(chain, **PLAN), kept(folder / "kept" / name))
        for name in ("one", "other")
    ]
    settings = SweepSettings(**options)
    tables, _ = sweep(networks, prepared.split("test"), folder, executor, settings)
    write_csv(folder / "lesions.csv", pd.concat(tables))
    written = [folder / "lesions.csv", *sorted((folder / "predictions").iterdir())]
    return [path.read_bytes() for path in written]


WAYS = (
    {"precision": "float32", "batch_size": 64},
    {"precision": "cascade"},
    {"precision": "bfloat16", "ci_half_width": 0.2},
)


def test_tables_are_those_of_one_machine(chain, prepared, tmp_path, local_executor, ray_executor):
    for i, options in enumerate(WAYS):
        local = planned(chain, prepared, tmp_path / f"local-{i}", local_executor, **options)
        assert len(local) == 3
        ray = planned(chain, prepared, tmp_path / f"ray-{i}", ray_executor, **options)
        assert ray == local
    assert len(list((tmp_path / "ray-0/kept/one").glob("float32-*/*.result"))) > 4
    assert len(ray_executor.nodes) == 2
    assert ray_executor.nodes.total() == local_executor.nodes.total()


class Watched(ResultCache):
    """Does something after the first predictions."""

    def within(self, name):
        return Watched(self.folder / name)

    def save(self, key, result):
        super().save(key, result)
        if self.folder.name.startswith("float32-"):
            self.after()


def test_a_node_dies_half_way(
    cluster, another_node, chain, prepared, tmp_path, local_executor, ray_executor, monkeypatch
):
    def kill(_):
        monkeypatch.setattr(Watched, "after", lambda _: None)
        cluster.remove_node(another_node, allow_graceful=False)

    monkeypatch.setattr(Watched, "after", kill, raising=False)
    ray = planned(chain, prepared, tmp_path / "ray", ray_executor, Watched, batch_size=8)
    assert ray == planned(chain, prepared, tmp_path / "local", local_executor, batch_size=8)
    assert Watched.after is not kill
    assert ray_executor.nodes.total() == local_executor.nodes.total()


def test_a_driver_dies_and_is_started_again(environment, chain, prepared, tmp_path, program):
    models.save(chain, tmp_path / "networks" / "resnet-0" / "model.keras")
    for engine in ("ray", "local"):
        small_studies.write(
            tmp_path / engine, prepared.folder, tmp_path / "networks", lesion={"batch_size": 4}
        )
    ray, local = (tmp_path / engine / "results" / small_studies.NAME for engine in ("ray", "local"))
    kept = {"RESIDUAL_ENSEMBLES_CHECKPOINTS": str(tmp_path / "kept")}
    first = program("pipelines.lesion_study", tmp_path / "ray", **kept)
    programs.wait_until(lambda: _tasks(tmp_path) or first.poll() is not None)
    first.send_signal(signal.SIGKILL)
    first.wait()
    result = _tasks(tmp_path)
    assert 0 < len(result) < 24, first.stdout.read()
    assert not (ray / "lesions.csv").exists()

    second = program("pipelines.lesion_study", tmp_path / "ray", **kept)
    printed, _ = second.communicate()
    assert second.returncode == 0, printed
    # 24 ranges of images; the comparison with the reference came before them all.
    (line,) = (line for line in printed.splitlines() if "tasks by node" in line)
    counts = [int(split.split(")")[0]) for split in line.split("(")[1:]]
    assert sum(counts) == 24 - len(result)
    assert "computed by ray" in line

    elsewhere = {"RESIDUAL_ENSEMBLES_CHECKPOINTS": str(tmp_path / "elsewhere")}
    third = program("pipelines.lesion_study", tmp_path / "local", **{ENGINE: "local"}, **elsewhere)
    printed, _ = third.communicate()
    assert third.returncode == 0, printed
    for name in ("lesions.csv", "half_gates.csv", "predictions/resnet-0.npz"):
        assert (ray / name).read_bytes() == (local / name).read_bytes()


def _tasks(folder):
    return list(folder.glob("kept/lesions/*/float32-*/[!.]*.result"))
