"""Every family of `keras.applications`: its modules, and deletions against Keras' cloning."""

from pathlib import Path

import numpy as np
import pytest

from residual_ensembles.unraveling import unravel
from tests.helpers import families
from tests.helpers import unraveled_networks as networks

# Modules found, and which of what an addition adds stays: the first, 0, or the second, 1.
MODULES = {
    "ConvNeXtTiny": (18, 0),
    "EfficientNetB0": (9, 1),
    "EfficientNetV2B0": (15, 1),
    "InceptionResNetV2": (40, 0),
    "MobileNetV2": (10, 0),
    "MobileNetV3Large": (10, 0),
    "MobileNetV3Small": (6, 0),
    "NASNetMobile": (16, 1),
    "ResNet50": (16, 0),
    "ResNet50V2": (16, 0),
    "ResNet101": (33, 0),
    "ResNet152V2": (50, 0),
    "Xception": (12, 1),
}
# Nothing is added back in these; a layer can be a module all the same.
NONE = ("DenseNet121", "InceptionV3", "MobileNet", "VGG16")

DOCUMENT = Path(__file__).parents[2] / "docs" / "tutorials" / "your-own-network.md"


def test_the_document_says_so():
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, (n, _) in MODULES.items():
        assert f"| {name} | {n} |" in text
    assert f"| {', '.join(NONE)} | none |" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_modules_and_deletions_of_a_family(name):
    n, skip = MODULES[name]
    model = families.build(name)
    chain, images = unravel(model), families.images(model)
    assert (name, len(chain.modules), chain.agreement < 1e-5) == (name, n, True)
    full, n_changed = np.asarray(model(images)), 0
    for number in range(1, n + 1):
        gates = np.ones(n, "float32")
        gates[number - 1] = 0
        without = networks.without(model, {chain.modules[number - 1].title: skip})
        expected = np.asarray(without(images))
        scale = np.abs(expected).max()
        np.testing.assert_allclose(chain(images, gates=gates), expected, atol=1e-4 * scale)
        n_changed += np.abs(expected - full).max() > 1e-4 * scale
    assert n_changed == n


@pytest.mark.slow
@pytest.mark.parametrize("name", NONE)
def test_families_without_a_skip(name):
    model = families.build(name)
    with pytest.raises(ValueError, match="no branch"):
        unravel(model)
