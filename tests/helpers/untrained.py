"""Networks to take apart that were not trained, images, and the page of them."""

import numpy as np
import pytest

from residual_ensembles import models
from residual_ensembles.report import explorer
from residual_ensembles.report.explorer import Choice, OfferedNetwork
from residual_ensembles.report.explorer.selection import draw

SHAPE = (8, 8, 1)
N_IMAGES = 24
CLASS_NAMES = ["<script>alert(1)</script>", "five & six", *map(str, range(8))]


class Split:
    """A test split of random images."""

    def __init__(self, n=N_IMAGES, shape=SHAPE):
        self.array = np.random.default_rng(1).integers(0, 256, (n, *shape)).astype("uint8")
        self.labels = np.arange(n, dtype=np.int32) % 10

    def __len__(self):
        return len(self.labels)

    def images(self, indices):
        return self.array[indices]


def grown(chain):
    """A network whose norms have something to do, as if it had been trained."""
    random = np.random.default_rng(2)
    for variable in chain.trainable_variables:
        if variable.path.endswith(("gamma", "beta")):
            variable.assign(variable + random.uniform(-0.3, 0.3, variable.shape))
    models.reestimate_batch_norm(chain, Split(64).array)
    return chain


def network(model, depth, **options):
    return grown(models.build(model, depth, SHAPE, 10, [77.8], [95.8], seed=3, **options))


def offered(chain, name, title):
    choice = Choice(name, 0, title, None, 0.0083, 360)
    return OfferedNetwork(choice, explorer.export(chain))


@pytest.fixture(scope="session")
def chains():
    """The paper's two networks, untrained; the first as if it had been trained with gates."""
    return {"resnet": network("resnet", 110, survival=[0.8] * 54), "vgg": network("vgg", 15)}


@pytest.fixture(scope="session")
def shown():
    """What the page shows of `Split()`: all its images."""
    return draw(Split(), SHAPE)


@pytest.fixture(scope="session")
def page(chains, shown):
    """The text of the explorer's page."""
    networks = [
        offered(chains["resnet"], "resnet", "ResNet-110"),
        offered(chains["vgg"], "vgg", "VGG-15"),
    ]
    return explorer.render("Digits <b>", CLASS_NAMES, shown, networks)


@pytest.fixture(scope="session")
def path(page, tmp_path_factory):
    """Where that page lies."""
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    path.write_text(page)
    return path
