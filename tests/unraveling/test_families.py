"""Four families of `keras.applications`: their modules, and deletions against Keras' cloning."""

import numpy as np
import pytest

from residual_ensembles.lesions import deletable
from residual_ensembles.unraveling import unravel
from tests.helpers import families
from tests.helpers import unraveled_networks as networks

# Modules, by the papers; which of what an addition adds is the skip; modules that are deleted here
# (all of them in the slow tier): one that changes the shape or is near it, the last.
MODULES = {
    "ResNet50": (16, 0, (8,)),
    "ResNet50V2": (16, 0, (3, 16)),
    "MobileNetV2": (10, 0, (7,)),
    "EfficientNetB0": (9, 1, (9,)),
}


@pytest.fixture(scope="module", params=MODULES)
def case(request):
    model = families.build(request.param)
    return request.param, model, unravel(model)


def test_as_many_modules_as_the_paper_says(case):
    name, model, chain = case
    n, *_ = MODULES[name]
    assert len(chain.modules) == n
    assert deletable(chain) == tuple(range(1, n + 1))
    assert chain.agreement < 1e-6
    assert chain.count_params() == model.count_params()
    assert chain.notes == []


def test_deleting_a_module_is_the_network_without(case):
    name, model, chain = case
    n, skip, numbers = MODULES[name]
    images = families.images(model)
    full = np.asarray(model(images))
    for number in numbers:
        gates = np.ones(n, "float32")
        gates[number - 1] = 0
        expected = np.asarray(
            networks.without(model, {chain.modules[number - 1].title: skip})(images)
        )
        scale = np.abs(expected).max()
        np.testing.assert_allclose(chain(images, gates=gates), expected, atol=1e-5 * scale)
        assert np.abs(expected - full).max() > 1e-3 * scale
