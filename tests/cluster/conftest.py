"""A Ray cluster of two nodes with one core each, on this machine."""

import os
import subprocess
import sys

import numpy as np
import pytest

from residual_ensembles import data, models
from residual_ensembles.backend.threads import THREADS
from residual_ensembles.models import reestimate_batch_norm
from residual_ensembles.runtime.choose import ENGINE
from residual_ensembles.runtime.local import Local

NODE = {"num_cpus": 1, "object_store_memory": 150 * 2**20, "include_dashboard": False}


def pytest_collection_modifyitems(items):
    for item in items:
        if "cluster" in item.path.parts:
            item.add_marker("cluster")
            # Ray leaves files and processes open at its end.
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::FutureWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))
            item.add_marker(
                pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
            )


@pytest.fixture(scope="session")
def cluster():
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args=NODE)
    made.add_node(**NODE)
    made.wait_for_nodes()
    yield made
    made.shutdown()


@pytest.fixture
def another_node(cluster):
    """A third node, which may be killed."""
    made = cluster.add_node(**NODE)
    cluster.wait_for_nodes()
    yield made
    if made in cluster.list_all_nodes():
        cluster.remove_node(made)


@pytest.fixture(scope="module")
def environment(cluster):
    """The variables that send work to the cluster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", cluster.address)
        patch.setenv(ENGINE, "ray")
        patch.delenv(THREADS, raising=False)
        yield


@pytest.fixture(scope="module")
def connected(environment):
    """One connection for all tests of a file: what workers have imported stays there."""
    from residual_ensembles.runtime.cluster import Ray

    with Ray() as made:
        yield made


@pytest.fixture
def ray_executor(connected):
    connected.nodes.clear()
    return connected


@pytest.fixture
def local_executor(monkeypatch):
    """Two processes, whatever the machine has."""
    monkeypatch.setattr("residual_ensembles.runtime.local.processors", lambda: 2)
    with Local() as made:
        yield made


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """Digits."""
    folder = tmp_path_factory.mktemp("data") / "digits"
    return data.prepare("digits", folder, limit_train=80, limit_test=96)


@pytest.fixture(scope="session")
def chain(prepared):
    """A small ResNet in which every module matters."""
    made = models.build("resnet", 20, prepared.image_shape, 10, prepared.mean, prepared.std)
    random = np.random.default_rng(1)
    for variable in made.trainable_variables:
        if len(variable.shape) == 1:
            noise = random.normal(0.0, 0.3, variable.shape).astype("float32")
            variable.assign(variable.numpy() + noise)
    reestimate_batch_norm(made, prepared.split("train").array)
    return made


@pytest.fixture
def program():
    """Starts a program of the project, with what it prints in one pipe."""

    def start(module: str, folder, **variables: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=folder,
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start
