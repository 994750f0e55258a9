"""Small networks of each kind in which every module matters, and images."""

import numpy as np
import pytest

from residual_ensembles import models
from residual_ensembles.models import reestimate_batch_norm

SHAPE = (8, 8, 1)


@pytest.fixture(scope="session")
def images():
    return np.random.default_rng(0).integers(0, 256, (40, *SHAPE)).astype(np.uint8)


def made(model: str, depth: int, images, **options):
    chain = models.build(model, depth, SHAPE, 10, [120.0], [70.0], seed=3, **options)
    random = np.random.default_rng(1)
    for variable in chain.trainable_variables:
        # Scales, offsets and gates start at constants; only other values show what is done to them.
        if len(variable.shape) == 1 or "gate" in variable.path:
            noise = random.normal(0.0, 0.3, variable.shape).astype("float32")
            variable.assign(variable.numpy() + noise)
    reestimate_batch_norm(chain, images)
    return chain


@pytest.fixture(scope="session")
def resnet(images):
    """Nine modules, of which 4 and 7 downsample; residuals are scaled, as after gated training."""
    survival = [1.0, 0.9, 0.8, 0.9, 1.0, 0.7, 0.8, 0.9, 1.0]
    return made("resnet", 20, images, survival=survival)


@pytest.fixture(scope="session")
def highway(images):
    """Nine modules, of which 4 and 7 downsample."""
    return made("highway", 20, images)


@pytest.fixture(scope="session")
def vgg(images):
    """Twelve modules, of which 1 and 3 pool."""
    return made("vgg", 15, images)


@pytest.fixture(scope="session")
def chains(resnet, highway, vgg):
    return {"resnet": resnet, "highway": highway, "vgg": vgg}


@pytest.fixture(params=["resnet", "highway", "vgg"])
def chain(request, chains):
    return chains[request.param]
