"""Losses as Keras takes them, and outputs that are probabilities by any operation."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from keras import layers, ops

from residual_ensembles import paths
from residual_ensembles.pruning import module_importance, prune
from residual_ensembles.unraveling import unravel
from tests.helpers.checks import uncompiled

DELETED = np.array([0, 1], "float32")
SPARSE = "sparse_categorical_crossentropy"


def network(end, seed=1):
    """A stem and two modules, and what comes last."""
    keras.utils.set_random_seed(seed)
    x = keras.Input((8,))
    y = layers.Dense(8)(x)
    for _ in range(2):
        y = layers.Add()([y, layers.Dense(8, activation="relu")(y)])
    return keras.Model(x, end(y))


@pytest.fixture(autouse=True)
def _uncompiled():
    with uncompiled():
        yield


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(0).normal(size=(32, 8)).astype("float32")


@pytest.fixture(scope="module")
def labels():
    return np.arange(32) % 3


def moved_softmax(y):
    y = layers.Dense(3, activation="softmax")(y)
    return layers.Reshape((3,))(layers.Reshape((3, 1))(y))


PROBABILITIES = {
    "softmax": lambda y: layers.Dense(3, activation="softmax")(y),
    "layer": lambda y: layers.Softmax()(layers.Dense(3)(y)),
    "moved": moved_softmax,
    "tensorflow": lambda y: layers.Dense(3, activation=tf.nn.softmax)(y),
    "lambda": lambda y: layers.Dense(3, activation=lambda z: ops.softmax(z))(y),
    "operation": lambda y: ops.softmax(layers.Dense(3)(y)),
    "own": lambda y: layers.Lambda(lambda z: ops.exp(ops.log_softmax(z)))(layers.Dense(3)(y)),
}


def test_a_softmax_is_one_however_it_is_written(inputs, labels):
    result = {}
    for name, end in PROBABILITIES.items():
        chain = unravel(network(end))
        assert chain.probabilities, name
        result[name] = module_importance(chain, inputs, labels)["loss_increase"].to_numpy()
    logits = unravel(network(lambda y: layers.Dense(3)(y)))
    assert not logits.probabilities
    expected = module_importance(logits, inputs, labels)["loss_increase"].to_numpy()
    for name, increase in result.items():
        assert increase == pytest.approx(expected, rel=1e-4, abs=1e-6), name


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (lambda y: layers.Dense(1, activation="sigmoid")(y), True),
        (lambda y: layers.Dense(1, activation=tf.nn.sigmoid)(y), True),
        (lambda y: layers.Reshape((1,))(ops.sigmoid(layers.Dense(1)(y))), True),
        (lambda y: layers.Lambda(lambda z: 1 / (1 + ops.exp(-z)))(layers.Dense(1)(y)), True),
        (lambda y: layers.Dense(3, activation="sigmoid")(y), True),
        (lambda y: layers.Average()([binary(y), binary(y)]), True),
        (lambda y: 1 - binary(y), True),
        (lambda y: layers.Dense(2, activation="softmax")(y)[:, 1:], True),
        (lambda y: (layers.Dense(1, activation="tanh")(y) + 1) / 2, True),
        (lambda y: ops.clip(binary(y), 1e-7, 1 - 1e-7), True),
        (lambda y: 5 * binary(y), False),  # stars, say
        (lambda y: layers.Dense(1, activation="softplus")(y), False),
        (lambda y: layers.Dense(1)(y), False),
        (lambda y: layers.Dense(1, activation="relu")(y), False),
        (lambda y: layers.Dense(3, activation="relu")(y), False),
    ],
)
def test_whether_outputs_are_probabilities(end, expected):
    assert unravel(network(end)).probabilities is expected


def test_the_user_decides_whether_outputs_are_probabilities(inputs, labels, tmp_path):
    from residual_ensembles import models

    model = network(lambda y: layers.Dense(3, activation="softmax")(y))
    chain = unravel(model, probabilities=False)
    models.save(chain, tmp_path / "chain.keras")
    for each in (chain, models.load(tmp_path / "chain.keras")):
        assert not each.probabilities
    without, intact = (np.asarray(chain(inputs, gates=g)) for g in (DELETED, np.ones_like(DELETED)))
    losses = [
        np.log(np.exp(logits).sum(axis=1)).mean() - logits[np.arange(32), labels].mean()
        for logits in (without, intact)
    ]
    result = module_importance(chain, inputs, labels)["loss_increase"][0]
    assert result == pytest.approx(losses[0] - losses[1], rel=1e-4)


def binary(y):
    return layers.Dense(1, activation="sigmoid")(y)


def increase(model, loss, inputs, targets):
    chain = unravel(model)
    with_, without = np.asarray(model(inputs)), np.asarray(chain(inputs, gates=DELETED))
    return float(np.mean(loss(targets, without)) - np.mean(loss(targets, with_)))


@pytest.mark.parametrize(
    ("end", "targets", "said", "loss"),
    [
        (binary, "binary", keras.losses.BinaryCrossentropy(), keras.losses.BinaryCrossentropy()),
        (binary, "binary", "binary_crossentropy", keras.losses.BinaryCrossentropy()),
        (binary, "binary", keras.losses.binary_crossentropy, keras.losses.BinaryCrossentropy()),
        (binary, "binary", "mse", keras.losses.MeanSquaredError()),
        (
            binary,
            "binary",
            {"class_name": "Huber", "config": {"delta": 0.2}},
            keras.losses.Huber(delta=0.2),
        ),
        (binary, "flat", "binary_crossentropy", keras.losses.BinaryCrossentropy()),
        (binary, "flat", keras.losses.Huber(reduction="sum"), keras.losses.Huber()),
        (binary, "binary", lambda t, o: ops.mean(ops.maximum(t - o, 0.1 * (o - t))), None),
        (PROBABILITIES["softmax"], "labels", "sparse_categorical_crossentropy", "sparse"),
        (PROBABILITIES["softmax"], "one_hot", "sparse_categorical_crossentropy", "sparse"),
        (PROBABILITIES["softmax"], "labels", "categorical_crossentropy", "sparse"),
        (PROBABILITIES["softmax"], "one_hot", "categorical_crossentropy", "sparse"),
        (PROBABILITIES["softmax"], "one_hot", keras.losses.KLDivergence(), "kl"),
    ],
)
def test_a_loss_is_called_as_keras_calls_it(end, targets, said, loss, inputs, labels):
    made = {
        "binary": (labels > 0).reshape(-1, 1).astype("float32"),
        "flat": (labels > 0).astype("float32"),
        "labels": labels,
        "one_hot": np.eye(3, dtype="float32")[labels],
    }
    model = network(end)
    chain = unravel(model)
    if loss == "sparse":
        expected = increase(model, keras.losses.SparseCategoricalCrossentropy(), inputs, labels)
    elif loss == "kl":
        expected = increase(model, keras.losses.KLDivergence(), inputs, made["one_hot"])
    else:
        expected = increase(model, loss or said, inputs, made["binary"])
    result = module_importance(chain, inputs, made[targets], loss=said)
    assert result["loss_increase"][0] == pytest.approx(expected, rel=1e-4, abs=1e-6)
    point = paths.Linearization(chain, loss=said).linearize(inputs, made[targets])
    assert np.isfinite(point.loss)


def test_what_a_model_was_compiled_with_is_the_default(inputs, labels):
    targets = (labels > 0).reshape(-1, 1).astype("float32")
    model = network(binary)
    model.compile("sgd", keras.losses.Huber(0.3))
    table = module_importance(unravel(model), inputs, targets)
    expected = increase(model, keras.losses.Huber(0.3), inputs, targets)
    assert table["loss_increase"][0] == pytest.approx(expected, rel=1e-4)
    assert (table.attrs["loss"], "error_increase" in table) == ("huber_loss", False)
    model = network(PROBABILITIES["softmax"])
    model.compile("sgd", "categorical_crossentropy")
    table = module_importance(unravel(model), inputs, labels)
    expected = increase(model, keras.losses.SparseCategoricalCrossentropy(), inputs, labels)
    assert table["loss_increase"][0] == pytest.approx(expected, rel=1e-4)
    assert "error_increase" in table
    result = prune(unravel(model), 1, (inputs, labels))
    assert {"error_fraction", "loss"} <= set(result.steps)


def test_without_a_loss_it_is_the_one_that_fits(inputs, labels):
    chain = unravel(network(lambda y: layers.Dense(1)(y)))
    numbers = np.random.default_rng(1).normal(size=(32, 1))
    table = module_importance(chain, inputs, numbers)
    assert table.attrs["loss"] == "mean_squared_error"
    table = module_importance(unravel(network(binary)), inputs, labels > 0)
    expected = increase(
        network(binary), keras.losses.BinaryCrossentropy(), inputs, (labels > 0)[:, None]
    )
    assert table["loss_increase"][0] == pytest.approx(expected, rel=1e-4)


def two_outputs(structure):
    """A network that outputs numbers and classes, in a list or in a dictionary."""

    def end(y):
        place = layers.Dense(2, name="place")(y)
        kind = layers.Dense(3, activation="softmax", name="kind")(y)
        return [place, kind] if structure == "list" else {"where": place, "what": kind}

    return network(end)


@pytest.mark.parametrize(
    ("structure", "loss", "weights", "shares"),
    [
        ("list", ["mse", SPARSE], None, (1, 1)),
        ("list", ["mse", SPARSE], [0.5, 2.0], (0.5, 2)),
        ("list", {"kind": SPARSE, "place": "mse"}, {"kind": 2.0, "place": 1.0}, (1, 2)),
        ("list", [None, SPARSE], None, (0, 1)),
        ("dict", {"what": SPARSE, "where": "mse"}, {"where": 0.5, "what": 1.0}, (0.5, 1)),
        ("dict", {"what": SPARSE}, None, (0, 1)),
    ],
)
@pytest.mark.parametrize("said", [False, True])
def test_several_outputs_have_a_loss_each(structure, loss, weights, shares, said, inputs, labels):
    model = two_outputs(structure)
    if said:  # weights are said where a model is compiled, and there alone
        shares = tuple(map(bool, shares))
    else:
        model.compile("sgd", loss, loss_weights=weights)
    numbers = np.random.default_rng(3).normal(size=(32, 2)).astype("float32")
    names = ("where", "what") if structure == "dict" else (0, 1)
    targets = {"where": numbers, "what": labels} if structure == "dict" else [numbers, labels]

    def total(outputs):
        place, kind = (np.asarray(outputs[name]) for name in names)
        square = ((place - numbers) ** 2).mean()
        entropy = -np.log(kind[np.arange(32), labels]).mean()
        return shares[0] * square + shares[1] * entropy

    chain = unravel(model)
    gates = DELETED, DELETED[::-1].copy()
    expected = [total(chain(inputs, gates=each)) - total(model(inputs)) for each in gates]
    table = module_importance(chain, inputs, targets, loss=loss if said else None)
    assert table["loss_increase"].tolist() == pytest.approx(expected, rel=1e-4)
    assert table["first_order"].notna().all()
    if structure == "list" and not said:
        by_name = {"place": numbers, "kind": labels}
        pd.testing.assert_frame_equal(module_importance(chain, inputs, by_name), table)
        result = prune(chain, 1, (inputs, targets))
        assert result.deleted == (1 + int(np.argmin(expected)),)


def test_one_loss_of_keras_is_that_of_each_output(inputs):
    model = two_outputs("list")
    targets = [np.ones((32, 2)), np.ones((32, 3))]
    chain = unravel(model)

    def total(outputs):
        return sum(((np.asarray(y) - 1) ** 2).mean() for y in outputs)

    expected = total(chain(inputs, gates=DELETED)) - total(model(inputs))
    said = module_importance(chain, inputs, targets, loss="mse")
    assert said["loss_increase"][0] == pytest.approx(expected, rel=1e-4)
    assert said.attrs["loss"] == "mean_squared_error+mean_squared_error"
    model.compile("sgd", keras.losses.MeanSquaredError())
    result = module_importance(unravel(model), inputs, targets)
    assert result["loss_increase"][0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("loss", "targets", "named"),
    [
        (["mse"], None, "1 of loss"),
        ({"kinds": "mse"}, None, "loss for kinds"),
        (["mse", "nothing"], None, "loss='nothing'"),
        ("mse", np.ones((32, 2)), "1 targets for 2 outputs"),
    ],
)
def test_losses_that_do_not_fit_several_outputs_are_refused(inputs, loss, targets, named):
    targets = [np.ones((32, 2)), np.ones((32, 3))] if targets is None else targets
    with pytest.raises(ValueError, match=named):
        module_importance(unravel(two_outputs("list")), inputs, targets, loss=loss)


def row(value):
    return np.full((32, 3), value)


@pytest.mark.parametrize(
    ("targets", "loss", "named"),
    [
        (row(0.0), None, "row 0"),
        (row(0.1), None, "row 0"),
        (row(np.nan), None, "row 0"),
        (row(0.0), "categorical_crossentropy", "row 0"),
        (row(np.nan), "mse", "targets .*example 0"),
        (None, None, "no targets"),
        ([[0], [0, 1]] * 16, None, "targets of which not all rows"),
        (None, "mse", "no targets"),
        (np.arange(32) % 3, "mse", r"\(32,\)"),
        (np.zeros((32, 1)), "mean_absolute_error", "mean_absolute_error"),
        (np.zeros((32, 1)), lambda t, o: ops.mean((t - o) ** 2), r"\(32, 1\)"),
        (np.zeros((32, 2)), "mse", r"\(32, 2\)"),
        (np.full(32, "cat"), "mse", "<U3"),
        (np.zeros((31, 3)), "mse", r"\(31, 3\)"),
        (np.zeros((32, 3)), "no such loss", "loss='no such loss'"),
        (np.full(32, -1), None, "labels from -1"),
        (np.full(32, 99), "sparse_categorical_crossentropy", "labels from 99"),
        (np.full(32, 0.5), None, "0.5 as the class label"),
        (np.full(32, "cat"), None, "<U3"),
    ],
)
def test_targets_that_cannot_be_are_refused(inputs, targets, loss, named):
    chain = unravel(network(PROBABILITIES["softmax"]))
    for refused in (
        lambda: module_importance(chain, inputs, targets, loss=loss),
        lambda: prune(chain, 1, (inputs, targets), loss=loss),
        lambda: paths.Linearization(chain, loss=loss).linearize(inputs, targets),
    ):
        with pytest.raises(ValueError, match=named):
            refused()


def test_gradients_of_what_is_no_number_are_refused(inputs, labels):
    broken = inputs.copy()
    broken[3] = np.nan
    chain = unravel(network(PROBABILITIES["softmax"]))
    with pytest.raises(ValueError, match=r"inputs .*example 3"):
        paths.Linearization(chain).linearize(broken, labels)
    one_hot = paths.Linearization(chain).linearize(inputs, np.eye(3)[labels])
    assert one_hot.loss == paths.Linearization(chain).linearize(inputs, labels).loss
