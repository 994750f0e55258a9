"""What all tests share."""

import os

import numpy as np
import pytest

from residual_ensembles import backend, models
from tests.helpers import clones
from tests.helpers.browser import chromium, open_page

__all__ = ["chromium", "open_page"]  # one browser for all rooms

LONG_SECONDS = 1800
"""For what runs whole studies; for other tests, pyproject.toml says how long they may take."""

backend.configure(1)  # there is a process of tests for each processor

# Programs of the pipeline start in the folder of a checkout; tests start them in folders of theirs.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(clones.ROOT), os.environ.get("PYTHONPATH")])
)


def pytest_collection_modifyitems(items):
    """Begins with the pipeline, so that no process is left alone with it at the end."""
    items.sort(key=lambda item: "pipelines" not in item.path.parts)
    for item in items:
        slow = any(item.get_closest_marker(mark) for mark in ("slow", "cluster"))
        if slow or "pipelines" in item.path.parts:
            item.add_marker(pytest.mark.timeout(LONG_SECONDS))


def pytest_runtest_setup(item):
    if item.get_closest_marker("bfloat16") and (problem := backend.bfloat16_problem()):
        pytest.skip(problem)


@pytest.fixture
def images():
    """Eight random gray images of 8×8, uint8."""
    return np.random.default_rng(0).integers(0, 256, (8, 8, 8, 1)).astype("uint8")


@pytest.fixture
def build():
    """Builds small networks for images of 8×8."""

    def make(model="resnet", depth=8, image_shape=(8, 8, 1), n_classes=10, **options):
        channels = image_shape[-1]
        mean, std = [100.0] * channels, [50.0] * channels
        return models.build(model, depth, image_shape, n_classes, mean, std, **options)

    return make
