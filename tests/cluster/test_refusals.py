"""Clusters that cannot be used, and workers that take too much."""

import sys
import time

import numpy as np
import psutil
import pytest

from residual_ensembles.runtime import choose_executor
from residual_ensembles.runtime import cluster as ray_executor
from residual_ensembles.runtime.choose import ENGINE
from residual_ensembles.runtime.executor import Task

NODE = {"num_cpus": 1, "object_store_memory": 150 * 2**20, "include_dashboard": False}


@pytest.fixture(scope="module", autouse=True)
def sent_by_value():
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])


def test_a_cluster_that_does_not_answer(monkeypatch):
    monkeypatch.setenv(ENGINE, "ray")
    for address in ("127.0.0.1:1", "ray://127.0.0.1:1", "nowhere.invalid:6379"):
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(OSError, match=f"RAY_ADDRESS={address}"):
            choose_executor()


def test_another_version_is_refused(environment, monkeypatch):
    import ray

    monkeypatch.setattr(ray, "__version__", "1.0.0")
    with pytest.raises(OSError, match=r"Ray 1\.0\.0 and Python 3"):
        choose_executor()


def test_a_node_without_the_packages_is_refused(environment, monkeypatch):
    monkeypatch.setattr(ray_executor, "NEEDED", ("numpy", "nothing_of_that_name"))
    with pytest.raises(OSError, match="nothing_of_that_name"):
        choose_executor()


def test_a_node_that_joins_without_the_packages_is_left_out(
    environment, cluster, monkeypatch, capsys
):
    monkeypatch.setattr(ray_executor, "SECONDS_BETWEEN_CHECKS", 0.0)
    with choose_executor() as made:
        monkeypatch.setattr(ray_executor, "NEEDED", ("numpy", "nothing_of_that_name"))
        joined = cluster.add_node(**NODE)
        cluster.wait_for_nodes()
        tasks = [Task(f"nap {i}", nap, lambda: (0.5,)) for i in range(20)]
        assert made.run(tasks) == [0.5] * 20
        assert made.nodes.total() == 20
        assert len(made.nodes) == 2
        assert not any(joined.node_id[:6] in name for name in made.nodes)
    cluster.remove_node(joined)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "left out" in line)
    assert joined.node_id[:6] in line
    assert "it has no nothing_of_that_name" in line


def test_a_node_that_joins_gets_its_share(environment, cluster, monkeypatch):
    monkeypatch.setattr(ray_executor, "SECONDS_BETWEEN_CHECKS", 0.0)
    with choose_executor() as made:
        joined = cluster.add_node(**NODE)
        cluster.wait_for_nodes()
        made.run([Task(f"nap {i}", nap, lambda: (0.5,)) for i in range(60)])
        assert any(joined.node_id[:6] in name for name in made.nodes)
    cluster.remove_node(joined)


def test_a_node_that_died_a_moment_ago_is_left_out(environment, cluster, another_node):
    cluster.remove_node(another_node, allow_graceful=False)
    with choose_executor() as made:
        assert another_node.node_id not in {node["NodeID"] for node in made._nodes()}


def test_requirements_that_are_not_there_are_refused(environment, monkeypatch):
    monkeypatch.setenv(ray_executor.REQUIREMENTS, "nowhere.txt")
    with pytest.raises(ValueError, match=r"REQUIREMENTS=nowhere\.txt"):
        choose_executor()


def nap(seconds, advance):
    time.sleep(seconds)
    return seconds


def grows(advance):
    block = np.ones(3 * 2**30, np.uint8)
    time.sleep(60)
    return int(block[-1])


def test_a_worker_that_takes_too_much_memory_is_killed_and_told(monkeypatch):
    from ray.cluster_utils import Cluster

    memory = psutil.virtual_memory()
    threshold = (memory.total - memory.available + 2 * 2**30) / memory.total
    monitor = {"memory_usage_threshold": threshold, "memory_monitor_refresh_ms": 100}
    own = Cluster(initialize_head=True, head_node_args={**NODE, "_system_config": monitor})
    monkeypatch.setenv("RAY_ADDRESS", own.address)
    try:
        with ray_executor.Ray() as made, pytest.raises(OSError, match=r"with OutOfMemoryError"):
            made.run([Task("growing", grows, tuple)])
    finally:
        own.shutdown()
