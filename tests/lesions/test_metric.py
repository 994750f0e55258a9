"""Default measures of lesions, and metrics of Keras on outputs."""

import keras
import numpy as np
import pytest
from keras import layers

from residual_ensembles import lesion_study, prune, unravel
from tests.helpers import unraveled_networks as networks


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(0).normal(size=(40, 6)).astype("float32")


def network(end):
    """A stem and two modules, and what comes last."""
    x = keras.Input((6,), name="x")
    y = layers.Dense(5, name="stem")(x)
    for name in ("first", "second"):
        f = layers.Dense(5, activation="tanh", name=f"{name}_f")(y)
        y = layers.Add(name=name)([y, f])
    return networks.moved(keras.Model(x, end(y)))


def classifier(units=4, activation="softmax"):
    return network(lambda y: layers.Dense(units, activation=activation, name="out")(y))


def outputs(model, inputs):
    """Of the intact model, and of the model without each module, by Keras' own cloning."""
    without = [networks.without(model, {name: 0}) for name in ("first", "second")]
    return [np.asarray(each(inputs)) for each in (model, *without)]


def test_metrics_of_the_model_stand_beside_the_error(inputs):
    model, labels = classifier(), np.arange(40) % 4
    top = keras.metrics.SparseTopKCategoricalAccuracy(2, name="sparse_top_2")
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy", top, "ce"])
    for targets in (labels, np.eye(4, dtype="float32")[labels]):
        table = lesion_study(unravel(model), inputs, targets)
        *_, last = names = table.attrs["metric"].split(", ")
        assert names[:2] == ["error_fraction", "sparse_top_2"]
        assert last.endswith("categorical_crossentropy")
        for (_, row), made in zip(table.iterrows(), outputs(model, inputs), strict=True):
            assert row["error_fraction"] == pytest.approx((made.argmax(1) != labels).mean())
            best = np.argsort(-made, axis=1)[:, :2]
            assert row["sparse_top_2"] == pytest.approx((best == labels[:, None]).any(1).mean())
            entropy = -np.log(made[np.arange(40), labels]).mean()
            assert row[last] == pytest.approx(entropy, rel=1e-4)
        assert table["sparse_top_2"].nunique() > 1


def test_a_compiled_accuracy_is_the_error(inputs):
    model, labels = classifier(), np.arange(40) % 4
    expected = lesion_study(unravel(model), inputs, labels)
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    result = lesion_study(unravel(model), inputs, labels)
    assert result.equals(expected)
    assert result.attrs["metric"] == "error_fraction"


def test_errors_alone_where_only_predictions_are_made(inputs):
    model, labels = classifier(), np.arange(40) % 4
    top = keras.metrics.SparseTopKCategoricalAccuracy(2)
    model.compile(loss="sparse_categorical_crossentropy", metrics=[top])
    result = lesion_study(unravel(model), inputs, labels, ci_half_width=0.2)
    assert result.attrs["metric"] == "error_fraction"
    assert "output_distance" not in result


@pytest.mark.parametrize(
    ("activation", "threshold"), [("sigmoid", 0.5), (None, 0.0)], ids=["probability", "logit"]
)
def test_one_output_of_two_classes_is_measured_by_binary_accuracy(inputs, activation, threshold):
    model, targets = classifier(1, activation), (np.arange(40) % 2)[:, None]
    table = lesion_study(unravel(model), inputs, targets)
    assert table.attrs["metric"] == "binary_accuracy"
    expected = [((y > threshold) == targets).mean() for y in outputs(model, inputs)]
    assert table["binary_accuracy"].tolist() == pytest.approx(expected)


def test_numbers_are_compared_by_their_squares(inputs):
    model = classifier(1, None)
    targets = np.random.default_rng(1).normal(size=(40, 1))
    table = lesion_study(unravel(model), inputs, targets)
    assert table.attrs["metric"] == "mean_squared_error"
    expected = [((y - targets) ** 2).mean() for y in outputs(model, inputs)]
    assert table["mean_squared_error"].tolist() == pytest.approx(expected, rel=1e-4)
    model.compile(loss="mse", metrics=["mae"])
    table = lesion_study(unravel(model), inputs, targets)
    expected = [np.abs(y - targets).mean() for y in outputs(model, inputs)]
    assert table.attrs["metric"] == "mean_absolute_error"
    assert table["mean_absolute_error"].tolist() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("said", "one_hot", "name"),
    [
        ("accuracy", False, "sparse_categorical_accuracy"),
        ("acc", True, "categorical_accuracy"),
        ("crossentropy", False, "sparse_categorical_crossentropy"),
        ("ce", True, "categorical_crossentropy"),
    ],
)
def test_a_name_is_read_by_the_shape_of_targets(inputs, said, one_hot, name):
    model, labels = classifier(), np.arange(40) % 4
    targets = np.eye(4)[labels] if one_hot else labels
    table = lesion_study(unravel(model), inputs, targets, metric=said)
    made = outputs(model, inputs)
    if "accuracy" in name:
        expected = [(y.argmax(1) == labels).mean() for y in made]
    else:
        expected = [-np.log(y[np.arange(40), labels]).mean() for y in made]
    assert table[name].tolist() == pytest.approx(expected, rel=1e-4)
    assert table.attrs["metric"] == name


def test_several_metrics_are_a_column_each(inputs):
    model, targets = classifier(3, None), np.random.default_rng(1).normal(size=(40, 3))
    table = lesion_study(
        unravel(model), inputs, targets, metric=["mse", keras.metrics.MeanAbsoluteError()]
    )
    for row, y in zip(table.itertuples(), outputs(model, inputs), strict=True):
        assert row.mean_squared_error == pytest.approx(((y - targets) ** 2).mean(), rel=1e-4)
        assert row.mean_absolute_error == pytest.approx(np.abs(y - targets).mean(), rel=1e-4)


def test_a_metric_of_what_is_pruned_is_reported(inputs):
    model, labels = classifier(), np.arange(40) % 4
    chain = unravel(model)
    top = keras.metrics.SparseTopKCategoricalAccuracy(2, name="sparse_top_2")
    plain = prune(chain, 1, (inputs, labels))
    result = prune(chain, 1, (inputs, labels), metric=top)
    assert result.deleted == plain.deleted
    assert result.steps.drop(columns="sparse_top_2").equals(plain.steps)
    best = np.argsort(-np.asarray(model(inputs)), axis=1)[:, :2]
    expected = [(best == labels[:, None]).any(1).mean()]
    best = np.argsort(-np.asarray(result.model(inputs)), axis=1)[:, :2]
    expected += [(best == labels[:, None]).any(1).mean()]
    assert result.steps["sparse_top_2"].tolist() == pytest.approx(expected)
    assert result.comparison["sparse_top_2"].tolist() == pytest.approx(expected)
    assert result.steps.attrs == {"loss": "cross_entropy", "metric": "error_fraction, sparse_top_2"}
    model.compile(loss="sparse_categorical_crossentropy", metrics=[top])
    by_default = prune(unravel(model), 1, (inputs, labels))
    assert by_default.comparison["sparse_top_2"].tolist() == pytest.approx(expected)
