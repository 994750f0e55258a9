"""Each private attribute of Keras that is used, and what breaks where Keras changes it."""

import re

import keras
import pytest
from keras import layers, ops

from residual_ensembles.models import _keras_internals as internals
from residual_ensembles.storage.imports import LIBRARY


@pytest.fixture
def model():
    """Two inputs by name, a shared layer, and two outputs by name."""
    inputs = {"a": keras.Input((3,), name="a"), "b": keras.Input((3,), name="b")}
    shared = layers.Dense(4, name="shared")
    total = layers.Add(name="total")([shared(inputs["a"]), shared(inputs["b"])])
    return keras.Model(inputs, {"sum": total, "wide": layers.Dense(5, name="wide")(total)})


def test_functional(model):
    """`unravel` would refuse every model: this class tells a graph that is known."""
    assert type(model) is internals.Functional
    assert not isinstance(keras.Sequential([layers.Dense(2)]), internals.Functional)


def test_flat_layers(model):
    """A copy of a layer would get the weights of another one within it."""
    names = [layer.name for layer in internals.flat_layers(model)]
    assert names[0] == model.name
    assert {"shared", "total", "wide"} < {*names}
    copy = keras.Model.from_config(model.get_config())
    assert [layer.name for layer in internals.flat_layers(copy)] == names


def test_functional_of():
    """Sequential models would not be taken apart."""
    model = keras.Sequential([layers.Dense(2, name="one"), layers.Dense(3, name="two")])
    assert internals.functional_of(model) is None
    model.build((None, 4))
    inner = internals.functional_of(model)
    assert type(inner) is internals.Functional
    x = ops.ones((2, 4))
    assert ops.convert_to_numpy(inner(x)).tolist() == ops.convert_to_numpy(model(x)).tolist()


def test_nodes_by_depth(model):
    """The graph would lose calls, or have them in another order."""
    nodes = internals.nodes_by_depth(model)
    calls = {depth: sorted(node.operation.name for node in nodes[depth]) for depth in nodes}
    assert calls == {0: ["wide"], 1: ["total"], 2: ["shared", "shared"], 3: ["a", "b"]}
    assert all(node.is_input for node in nodes[3])
    (add,) = nodes[1]
    assert not add.is_input
    (inputs,) = add.arguments.args
    assert {id(x) for x in inputs} == {id(node.outputs[0]) for node in nodes[2]}
    assert add.arguments.kwargs == {}


def test_structures(model):
    """A pruned model would take its inputs, or return its outputs, in another form."""
    assert sorted(internals.inputs_structure(model)) == ["a", "b"]
    assert sorted(internals.outputs_structure(model)) == ["sum", "wide"]
    x = keras.Input((3,))
    plain = keras.Model(x, layers.Dense(2)(x))
    assert isinstance(internals.inputs_structure(plain), keras.KerasTensor)
    assert isinstance(internals.outputs_structure(plain), keras.KerasTensor)
    assert internals.inputs_structure(layers.Dense(2)) is None


def test_declared_output_shape():
    """A pruned model would lose the output shape that a Lambda layer was given."""
    assert internals.declared_output_shape(layers.Lambda(abs, output_shape=(3,))) == (3,)
    assert internals.declared_output_shape(layers.Lambda(abs)) is None


def test_compile_config(model):
    """Losses and metrics would not be those that the model was compiled with."""
    loss = {"sum": "mse", "wide": "mae"}
    model.compile("sgd", loss, metrics={"sum": ["mae"]}, loss_weights={"sum": 1.0, "wide": 2.0})
    config = internals.compile_config(model)
    assert config["loss"] == loss
    assert config["metrics"] == {"sum": ["mae"]}
    assert config["loss_weights"] == {"sum": 1.0, "wide": 2.0}


def test_takes_training():
    """Dropout and batch normalization would run in training mode, or be refused."""
    with_training = layers.Dropout(0.5), layers.BatchNormalization()
    assert [internals.takes_training(layer) for layer in with_training] == [True, True]
    x = keras.Input((3,))
    addition = keras.Model(x, x + 1.0).operations[-1]  # an operation, which is no layer
    assert not internals.takes_training(addition)


def test_masks():
    """Masked positions, as of padded text, would count after a lesion."""
    tokens = ops.convert_to_tensor([[1, 2, 0]])
    masked = layers.Embedding(3, 2, mask_zero=True)(tokens)
    assert ops.convert_to_numpy(internals.get_mask(masked)).tolist() == [[True, True, False]]
    bare = ops.ones((1, 3, 2))
    assert internals.get_mask(bare) is None
    internals.set_mask(bare, ops.convert_to_tensor([[True, False, False]]))
    assert ops.convert_to_numpy(internals.get_mask(bare)).tolist() == [[True, False, False]]


def test_no_other_file_uses_private_attributes_of_keras():
    used = {
        file.name
        for file in LIBRARY.rglob("*.py")
        if re.search(
            r"(from|import) keras\.src|keras\.src\.backend|\._nodes_by_depth|\._flatten_layers",
            file.read_text("utf-8"),
        )
    }
    assert used == {"_keras_internals.py"}
