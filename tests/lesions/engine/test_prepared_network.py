"""Closed forms against the modules that they stand for."""

import keras
import numpy as np
import pytest
from keras import ops

from residual_ensembles import backend, models
from residual_ensembles.lesions import Lesion, Step
from residual_ensembles.lesions.engine.folded_modules import folded
from residual_ensembles.lesions.engine.prepared_network import PreparedNetwork
from residual_ensembles.models import BatchNormalization, Chain, Module, PlainModule
from residual_ensembles.models.blocks import convolution
from residual_ensembles.models.lowering import lowered
from residual_ensembles.models.stem_head import LayerSequence


def entering(chain, images):
    """What enters each module of the intact network."""
    y = chain.stem(ops.convert_to_tensor(images))
    for module in chain.modules:
        yield y
        y = module(y)


def close(result, expected, tolerance=1e-5):
    expected = ops.convert_to_numpy(expected)
    result = ops.convert_to_numpy(ops.cast(result, "float32"))
    assert np.abs(result - expected).max() <= tolerance * np.abs(expected).max()


def test_each_module_run_and_deleted(chain, images):
    network = PreparedNetwork(chain)
    for number, (module, y) in enumerate(
        zip(chain.modules, entering(chain, images), strict=True), start=1
    ):
        close(network.run(Step(number, "run"), y), module(y))
        close(network.run(Step(number, "deleted"), y), module.deleted(y))


@pytest.mark.bfloat16
def test_bfloat16_is_near(chain, images):
    network = PreparedNetwork(chain, "bfloat16")
    y = network.stem(ops.convert_to_tensor(images))
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    y = network.run(Step(1, "run"), y)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    close(y, chain.modules[0](chain.stem(ops.convert_to_tensor(images))), tolerance=0.03)
    logits = network.head(ops.zeros((2, *chain.shapes[-1]), "bfloat16"))
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"


def test_modules_of_one_kind_share_a_trace(resnet, images):
    network = PreparedNetwork(resnet)
    for number, y in enumerate(entering(resnet, images), start=1):
        network.run(Step(number, "run"), y)
    functions = {id(function) for function in network.functions.values()}
    assert len(functions) == 2  # with and without projection
    again = PreparedNetwork(resnet)
    again.run(Step(1, "run"), resnet.stem(ops.convert_to_tensor(images)))
    assert id(again.functions[Step(1, "run")]) in functions


def test_what_a_deleted_module_leaves_as_it_is_is_no_step(resnet, vgg):
    prepared = PreparedNetwork(resnet)
    lesion = Lesion(deletions=[2, 4], swaps=[(2, 3)])
    assert prepared.steps(lesion) == (
        Step(1, "run"),
        Step(3, "run"),
        Step(4, "deleted"),
        *(Step(number, "run") for number in range(5, 10)),
    )
    assert prepared.steps(Lesion(deletions=[2], swaps=[(2, 3)])) == prepared.steps(
        Lesion(deletions=[2])
    )
    assert Step(1, "deleted") in PreparedNetwork(vgg).steps(Lesion(deletions=[1]))  # it pools
    assert Step(2, "deleted") not in PreparedNetwork(vgg).steps(Lesion(deletions=[2]))


class Foreign(Module):
    """A module of someone else's, which says nothing new but is not known here."""


def dense_chain(kind, **options):
    layers = [kind(keras.layers.Dense(6, activation="tanh"), **options) for _ in range(2)]
    return Chain(keras.layers.Dense(6), layers, keras.layers.Dense(3), (4,))


@pytest.mark.parametrize(
    "chain",
    [dense_chain(Foreign), dense_chain(Module), dense_chain(PlainModule)],
    ids=["foreign class", "foreign transform", "foreign layer"],
)
def test_any_other_module_runs_as_it_is(chain):
    network, y = PreparedNetwork(chain), ops.ones((3, 6))
    assert network.lowered[0] is None or folded(network.lowered[0]) is None
    close(network.run(Step(1, "run"), y), chain.modules[0](y))
    low = PreparedNetwork(chain, "bfloat16").run(Step(2, "run"), ops.cast(y, "bfloat16"))
    close(low, chain.modules[1](y), tolerance=0.02)


def test_nothing_is_taken_for_granted_of_a_foreign_module():
    chain = dense_chain(Foreign)
    assert PreparedNetwork(chain).steps(Lesion(deletions=[1]))[0] == Step(1, "deleted")


@pytest.mark.parametrize("ends_in", ["convolution", "norm", "ReLU", "two norms"])
def test_steps_in_another_order_are_folded_too(ends_in, images):
    """Convolutions before their norms, as in the first ResNets, scaled as after gated training."""
    layers = [convolution(3, 8, 2, 1, "a", "float32"), BatchNormalization(), keras.layers.ReLU()]
    layers += [convolution(3, 8, 1, 2, "b", "float32")] if ends_in != "two norms" else []
    layers += [BatchNormalization()] if ends_in != "convolution" else []
    layers += [keras.layers.ReLU()] if ends_in == "ReLU" else []
    shortcut = LayerSequence([convolution(1, 8, 2, 3, "c", "float32"), BatchNormalization()])
    module = Module(LayerSequence(layers), shortcut, keras.layers.ReLU(), survival_probability=0.7)
    chain = Chain(LayerSequence([]), [module], keras.layers.Flatten(), (8, 8, 1))
    random = np.random.default_rng(0)
    for variable in chain.variables:
        variable.assign(variable + random.uniform(0.1, 0.9, variable.shape))
    network, y = PreparedNetwork(chain), ops.convert_to_tensor(images, "float32")
    close(network.run(Step(1, "run"), y), module(y))
    close(network.run(Step(1, "deleted"), y), module.deleted(y))
    assert folded(lowered(module)).weights  # that is, not run as it is


@pytest.mark.bfloat16
def test_a_network_that_computes_in_bfloat16_itself_is_left_to_do_so(images):
    chain = models.build("resnet", 8, (8, 8, 1), 10, [120.0], [70.0], dtype="mixed_bfloat16")
    network = PreparedNetwork(chain)
    y = network.stem(ops.convert_to_tensor(images))
    result = network.run(Step(1, "run"), y)
    assert keras.backend.standardize_dtype(result.dtype) == "bfloat16"
    expected = backend.compile(lambda y: chain.modules[0](y))(y)
    np.testing.assert_array_equal(
        *(ops.convert_to_numpy(ops.cast(z, "float32")) for z in (result, expected))
    )
