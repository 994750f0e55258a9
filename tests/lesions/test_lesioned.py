"""Networks after a lesion, called like the network: against gates, and against the engine."""

import keras
import numpy as np
import pytest
from keras import layers

from residual_ensembles.lesions import Lesion, LesionedChain, outputs_of
from residual_ensembles.unraveling import unravel
from tests.helpers import unraveled_networks as networks


def gates_without(chain, deleted):
    gates = np.ones(len(chain.modules), "float32")
    gates[np.array(deleted, int) - 1] = 0
    return gates


@pytest.mark.parametrize("deleted", [[], [1], [2], [3], [1, 3], [1, 2, 3]])
def test_without_modules_is_their_gates_closed(deleted):
    model = networks.residual_net()
    chain, inputs = unravel(model), networks.inputs_for(model, 10)
    before = np.asarray(chain(inputs))
    expected = np.asarray(chain(inputs, gates=gates_without(chain, deleted)))
    without = chain.without(deleted)
    np.testing.assert_allclose(without(inputs), expected, rtol=1e-5, atol=1e-6)
    result = without.predict(inputs, batch_size=4)
    assert isinstance(result, np.ndarray)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
    assert (np.abs(expected - before).max() > 1e-3) == bool(deleted)
    np.testing.assert_array_equal(chain(inputs), before)  # nothing stays


@pytest.mark.parametrize(
    ("model", "depth", "lesion"),
    [
        ("resnet", 20, "delete 3,7; swap 2-3,5-6"),
        ("resnet", 14, Lesion(duplications=[2])),
        ("highway", 14, [2, 3]),
        ("vgg", 15, "delete 2,9"),
    ],
)
def test_any_lesion_of_our_networks_is_the_engines(build, model, depth, lesion):
    images = np.random.default_rng(1).integers(0, 256, (6, 8, 8, 1)).astype("uint8")
    chain = build(model, depth)
    result = LesionedChain(chain, lesion)
    [(_, expected)] = outputs_of(chain, [Lesion(), result.lesion], images)
    np.testing.assert_allclose(result(images), expected[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.predict(images), expected[1], rtol=1e-4, atol=1e-5)
    assert np.abs(expected[1] - expected[0]).max() > 1e-4


def test_any_lesion_of_a_model_is_the_engines():
    model = networks.attention_net(3)
    chain, tokens = unravel(model), networks.inputs_for(model, 12)
    text = "delete 5; swap 1-3,2-6; duplicate 4"
    packed = np.asarray(chain.packed_inputs(tokens))
    [(_, expected)] = outputs_of(chain, [Lesion.parse(text)], packed)
    result = chain.with_lesion(text)
    np.testing.assert_allclose(result(tokens), expected[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.predict(tokens), expected[0], rtol=1e-4, atol=1e-5)
    assert repr(result) == f"<{chain.name} after '{Lesion.parse(text)}'>"


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a data set of TensorFlow")
def test_a_data_set_is_predicted():
    import tensorflow as tf

    model = networks.residual_net()
    chain, inputs = unravel(model), networks.inputs_for(model, 10)
    data = tf.data.Dataset.from_tensor_slices((inputs, np.zeros(10))).batch(4)
    without = chain.without(2)
    np.testing.assert_array_equal(without.predict(data), without.predict(inputs))


def test_outputs_keep_their_structure():
    x = keras.Input((6,), name="x")
    y = layers.Add(name="sum")([x, layers.Dense(6, activation="tanh", name="f")(x)])
    outputs = {"kind": layers.Dense(3, name="kind")(y), "place": layers.Dense(2, name="place")(y)}
    model = networks.moved(keras.Model(x, outputs))
    inputs = networks.inputs_for(model, 5)
    for result in (
        unravel(model).without([1])(inputs),
        unravel(model).without([1]).predict(inputs),
    ):
        for name, made in result.items():
            expected = np.asarray(model.get_layer(name)(inputs))
            np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_is_refused():
    chain = unravel(networks.residual_net())
    for refused, named in (
        (lambda: chain.without([0]), "number 0"),
        (lambda: chain.without(4), "not 4"),
        (lambda: chain.without([1, 1]), "module 1"),
        (lambda: chain.with_lesion("remove 1"), "'remove 1'"),
        (lambda: chain.with_lesion("duplicate 2"), "module 2"),
        (lambda: chain.without(1).predict(np.zeros((2, 8, 8, 3)), 0), "batch_size=0"),
        (lambda: chain.without(1).predict(np.zeros((2, 8, 8, 1))), r"\(2, 8, 8, 1\)"),
        (lambda: chain.without(1).predict(np.full((2, 8, 8, 3), np.nan)), "inputs .*example 0"),
    ):
        with pytest.raises(ValueError, match=named):
            refused()
    with pytest.raises(TypeError, match="Functional"):
        LesionedChain(networks.residual_net(), "intact")
