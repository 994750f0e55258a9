"""Lowering of our modules to records, and modules that have none."""

import keras
import numpy as np
import pytest

from residual_ensembles.models import BatchNormalization, HighwayModule, Module
from residual_ensembles.models.lowering import Convolution, Norm, Relu, lowered, primitives


def kinds(result):
    return [type(step) for step in result]


PREACTIVATION = [Norm, Relu, Convolution]


@pytest.mark.parametrize(
    ("model", "depth", "per_module"),
    [("resnet", 14, 2), ("highway", 14, 2), ("resnet_bottleneck", 50, 3)],
)
def test_modules_with_a_skip(build, model, depth, per_module):
    chain = build(model, depth)
    known = [lowered(module) for module in chain.modules]
    assert all(kinds(each.residual) == PREACTIVATION * per_module for each in known)
    assert all(each.has_skip and each.after is None for each in known)
    assert [each.gate is not None for each in known] == [model == "highway"] * len(known)
    for module, each in zip(chain.modules, known, strict=True):
        norms, convolutions = each.residual[::3], each.residual[2::3]
        assert [c.kernel for c in convolutions] == [c.kernel for c in module.transform.convs]
        assert [n.gamma for n in norms] == [n.gamma for n in module.transform.norms]
        assert kinds(each.skip) == ([] if module.shortcut is None else [Convolution])
        assert each.is_identity_when_deleted == (module.shortcut is None)


def test_modules_without_a_skip(build):
    known = [lowered(module) for module in build("vgg", 15).modules]
    assert all(kinds(each.residual) == [Convolution, Norm, Relu] for each in known)
    assert not any(each.has_skip or each.skip for each in known)
    pooled = [i for i, each in enumerate(known, start=1) if not each.is_identity_when_deleted]
    assert pooled == [1, 3]


def test_survival_probabilities_are_those_of_the_modules(build):
    chain = build("resnet", 8, survival=[1.0, 0.75, 0.5])
    assert [lowered(module).survival for module in chain.modules] == [1.0, 0.75, 0.5]


def test_a_norm_by_hand():
    norm = BatchNormalization()
    norm.build((None, 4, 4, 1))
    for variable, value in zip(norm.variables, (3.0, 1.0, 5.0, 4.0 - 1e-5), strict=True):
        variable.assign([value])
    [known] = primitives(norm)
    scale, offset = known.affine()  # (x − 5) / 2 · 3 + 1
    np.testing.assert_allclose([scale[0], offset[0]], [1.5, -6.5], rtol=1e-6)


class Foreign(Module):
    """A module of someone else's, which says nothing new but is not known here."""


def conv(**options):
    layer = keras.layers.Conv2D(16, 1, **{"padding": "same", "use_bias": False, **options})
    layer.build((None, 8, 8, 16))
    return layer


@pytest.mark.parametrize(
    "layer",
    [
        conv(dilation_rate=2),
        conv(groups=2),
        conv(padding="valid"),
        conv(strides=(1, 2)),
        conv(use_bias=True),
        conv(activation="relu"),
        BatchNormalization(axis=1),
        BatchNormalization(center=False),
        keras.layers.ReLU(max_value=6),
        keras.layers.Dense(16),
    ],
)
def test_layers_that_are_not_plain(build, layer):
    assert primitives(layer) is None
    transform = build("resnet", 8).modules[0].transform
    assert lowered(Module(transform, layer)) is None
    deleted = lowered(Module(layer))
    assert deleted.residual is None
    assert deleted.is_identity_when_deleted


def test_modules_that_are_not_known(build):
    transform = build("resnet", 8).modules[0].transform
    assert lowered(Module(transform)).residual is not None
    assert lowered(Foreign(transform)) is None
    assert lowered(Module(transform, activation=keras.layers.PReLU())) is None
    assert lowered(HighwayModule(transform, conv(activation="tanh"))).residual is None
