"""Every family of `keras.applications`: its modules, and deletions against Keras' cloning."""

import families
import numpy as np
import pytest
import unravelled_networks as networks

from residual_ensembles.unraveling import unravel

# Modules found. Which of what an addition adds stays: 0 or 1; where a layer of its own adds, the
# cloning that these tests compare with cannot say it in one word, and only the number is held.
FOUND = {
    "ConvNeXtTiny": (18, None),
    "EfficientNetB0": (9, 1),
    "EfficientNetV2B0": (15, 1),
    "InceptionResNetV2": (40, 0),
    "MobileNetV2": (10, 0),
    "MobileNetV3Large": (10, 0),
    "MobileNetV3Small": (6, 0),
    "NASNetMobile": (12, None),
    "ResNet50": (16, 0),
    "ResNet50V2": (16, 0),
    "ResNet101": (33, 0),
    "ResNet152V2": (50, 0),
    "Xception": (12, 1),
}
# Nothing is added back in these; a layer can be a module all the same.
NONE = ("DenseNet121", "InceptionV3", "MobileNet", "VGG16")

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", FOUND)
def test_modules_and_deletions_of_a_family(name):
    n, skip = FOUND[name]
    model = families.build(name)
    chain, pictures = unravel(model), families.pictures(model)
    assert (name, len(chain.modules), chain.agreement < 1e-5) == (name, n, True)
    whole, n_changed = np.asarray(model(pictures)), 0
    for number in range(1, n + 1) if skip is not None else ():
        gates = np.ones(n, "float32")
        gates[number - 1] = 0
        without = networks.without(model, {chain.modules[number - 1].title: skip})
        expected = np.asarray(without(pictures))
        scale = np.abs(expected).max()
        np.testing.assert_allclose(chain(pictures, gates=gates), expected, atol=1e-4 * scale)
        n_changed += np.abs(expected - whole).max() > 1e-4 * scale
    assert skip is None or n_changed == n


@pytest.mark.parametrize("name", NONE)
def test_families_without_a_skip(name):
    model = families.build(name)
    with pytest.raises(ValueError, match="in which no branch is added back"):
        unravel(model)
