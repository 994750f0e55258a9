"""Paths through unraveled Keras models, against all 2^n paths, one masked pass each."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from residual_ensembles import models, paths
from residual_ensembles.unraveling import unravel
from tests.helpers.masked_passes import (
    CLASSES,
    DTYPE,
    RELATIVE,
    ROUNDING,
    SHAPE,
    PathGradients,
    batch,
)


def model_of(softmax: bool, across: bool) -> keras.Model:
    """A scaled identity, a projection whose ReLU follows the sum, a segment, and three branches.

    Args:
        softmax: Whether it ends in one.
        across: Whether something from before the second module is needed again at the end, so that
            it travels along.
    """

    def conv(width, size, name, **options):
        return layers.Conv2D(width, size, padding="same", name=name, dtype=DTYPE, **options)

    x = keras.Input(SHAPE, dtype=DTYPE, name="image")
    first = y = conv(3, 3, "stem")(layers.Rescaling(1 / 255, dtype=DTYPE)(x))
    f = conv(3, 3, "f1", activation="tanh")(y)
    y = layers.Add(name="add1", dtype=DTYPE)([y, layers.Rescaling(0.7, dtype=DTYPE)(f)])
    f = conv(4, 3, "f2", activation="tanh")(y)
    y = layers.Add(name="add2", dtype=DTYPE)([conv(4, 1, "projection")(y), f])
    y = layers.ReLU(negative_slope=0.2, name="relu2", dtype=DTYPE)(y)
    y = layers.BatchNormalization(name="between", dtype=DTYPE)(y)
    f, g = conv(4, 3, "f3", activation="tanh")(y), conv(4, 1, "g3", activation="tanh")(y)
    y = layers.Add(name="add3", dtype=DTYPE)([y, f, g])
    if across:
        y = layers.Concatenate(name="across", dtype=DTYPE)([y, first])
    y = layers.GlobalAveragePooling2D(name="pool", dtype=DTYPE)(y)
    activation = "softmax" if softmax else None
    out = layers.Dense(CLASSES, activation=activation, name="out", dtype=DTYPE)(y)
    model = keras.Model(x, out)
    random = np.random.default_rng(5)
    for variable in model.variables:
        low, high = (0.5, 1.5) if "variance" in variable.path else (-0.7, 0.9)
        variable.assign(random.uniform(low, high, variable.shape))
    return model


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(False, marks=pytest.mark.slow, id="alone"),
        pytest.param(True, id="across"),
    ],
)
def case(request):
    chain = unravel(model_of(softmax=False, across=request.param))
    return chain, request.param, PathGradients(chain, *batch()).of_all()


def test_all_paths_of_a_model(case):
    chain, across, every = case
    assert [module.title for module in chain.modules] == ["add1", "add2", "add3"]
    assert (chain.segment_positions, chain.modules[0].input_state.is_single) == ((2,), not across)
    point = paths.Linearization(chain).linearize(*batch())
    full = sum(np.ravel(g[0]) for g in every.values())
    exact = paths.batch_gradient_by_length(point, target="image")
    parts = [sum(np.ravel(g[0]) for p, g in every.items() if sum(p) == k) for k in exact.lengths]
    assert exact.lengths.tolist() == [0, 1, 2, 3]
    assert 10**exact.log10_norms == pytest.approx(np.linalg.norm(parts, axis=1), rel=RELATIVE)
    assert exact.shares == pytest.approx([p @ full / (full @ full) for p in parts], rel=RELATIVE)
    assert exact.error < max(ROUNDING, 1e-5)
    sampled = paths.batch_path_gradients(point, np.array(list(every)), "image")
    norms = [np.linalg.norm(g[0]) for g in every.values()]
    assert 10**sampled.log10_norms == pytest.approx(norms, rel=RELATIVE)
    # Against Keras' own gradient of the model, which knows of no path.
    assert 10**exact.log10_gradient_norm == pytest.approx(np.linalg.norm(full), rel=RELATIVE)


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2])
def test_weights_of_a_module_and_not_of_the_segment(case, number):
    chain, _, every = case
    point = paths.Linearization(chain).linearize(*batch())
    first = 2 + sum(len(module.variables) for module in chain.modules[: number - 1])
    own = [first + i for i in range(len(chain.modules[number - 1].variables))]
    below = {p: g for p, g in every.items() if not any(p[: number - 1])}
    result = paths.weight_gradient(point, number)
    norms = []
    for k in result.lengths:
        kept = [g for p, g in below.items() if sum(p[number:]) == k]
        norms.append(np.linalg.norm(np.concatenate([sum(g[of] for g in kept) for of in own])))
    assert 10**result.log10_norms == pytest.approx(norms, rel=RELATIVE)


def test_a_softmax_changes_no_gradient():
    result = []
    for softmax in (False, True):
        chain = unravel(model_of(softmax, across=False))
        assert chain.probabilities == softmax
        point = paths.Linearization(chain).linearize(*batch())
        result.append((point.loss, paths.batch_gradient_by_length(point)))
    (loss, plain), (other_loss, other) = result
    assert other_loss == pytest.approx(loss, rel=1e-5)
    assert other.log10_norms == pytest.approx(plain.log10_norms, abs=1e-4)
    assert other.shares == pytest.approx(plain.shares, abs=1e-4)


def test_one_output_is_the_second_of_two_classes():
    def net(activation):
        x = keras.Input((4,))
        y = layers.Dense(5, name="stem")(x)
        y = layers.Add(name="sum")([y, layers.Dense(5, activation="tanh", name="f")(y)])
        model = keras.Model(x, layers.Dense(1, activation=activation, name="out")(y))
        for i, variable in enumerate(model.variables):
            variable.assign(np.random.default_rng(i).normal(size=variable.shape))
        return model

    x, labels = np.random.default_rng(9).normal(size=(6, 4)), np.array([0, 1, 1, 0, 1, 0])
    points = [paths.Linearization(unravel(net(a))).linearize(x, labels) for a in (None, "sigmoid")]
    expected = keras.losses.BinaryCrossentropy(from_logits=True)(
        labels[:, None], net(None)(x.astype("float32"))
    )
    for point in points:
        assert point.loss == pytest.approx(float(expected), rel=1e-5)


def plain():
    return models.build("resnet", 8, (8, 8, 1), 10, [0.0], [1.0]), np.ones((6, 8, 8, 1))


def cut():
    x = keras.Input((4,), name="x")
    y = layers.Lambda(lambda x: 1.0 * x, name="stem")(x)
    root = layers.Lambda(lambda y: ops.sqrt(ops.relu(y)), name="root")  # no derivative at 0
    y = layers.Add(name="first")([y, root(y)])
    y = layers.Add(name="second")([y, layers.Dense(4, activation="relu", name="f")(y)])
    end = layers.Dense(3, activation="softmax", name="out")
    return unravel(keras.Model(x, end(y), name="mine")), np.ones((6, 4))


@pytest.mark.parametrize(
    ("make", "change", "kind", "named"),
    [
        (plain, {"weight": 0}, ArithmeticError, "outputs NaN .*example 0"),
        (plain, {"weight": -1}, ArithmeticError, "outputs NaN .*example 0"),
        (cut, {"weight": -1}, ArithmeticError, "mine outputs NaN .*example 0"),
        # A ReLU may take NaN for 0, and its derivative does not.
        (cut, {"weight": 0}, ArithmeticError, "NaN .*example 0"),
        (cut, {"input": np.nan}, ValueError, "inputs .*example 4"),
        (plain, {"input": np.inf}, ValueError, "inputs .*example 4"),
        (plain, {"input": 3e38}, ArithmeticError, "outputs NaN .*example 4"),
        (cut, {"input": 0.0}, ArithmeticError, "gradient is NaN .*example 4"),
    ],
)
def test_what_is_no_number_is_named_by_its_first_example(make, change, kind, named):
    chain, x = make()
    if "weight" in change:
        weights = [v for v in chain.trainable_variables if len(v.shape) > 1][change["weight"]]
        values = np.array(weights)
        values.flat[0] = np.nan
        weights.assign(values)
    else:
        x[4:] = change["input"]
    labels = np.arange(6) % 3
    for refused in (
        lambda: paths.gradient_by_length(chain, x, labels, verbose=0),
        lambda: paths.sampled_path_gradients(chain, x, labels, [1], 2, verbose=0),
    ):
        with pytest.raises(kind, match=named) as said:
            refused()
        assert "\n" not in str(said.value)


def test_a_loss_that_is_no_number_is_named():
    chain, x = cut()

    def root(targets, outputs):
        return ops.sqrt(outputs[:, 0] - 9.0)

    with pytest.raises(ArithmeticError, match="loss root of mine is nan"):
        paths.gradient_by_length(chain, x, np.ones((6, 3)), loss=root, verbose=0)


@pytest.mark.slow
def test_another_loss():
    def squared(targets, outputs):
        return keras.ops.mean((outputs - targets) ** 2)

    model = model_of(softmax=False, across=False)
    chain, (images, _) = unravel(model), batch()
    targets = np.ones((len(images), CLASSES))
    point = paths.Linearization(chain, loss=squared).linearize(images, targets)
    expected = float(np.mean((np.asarray(model(images)) - 1.0) ** 2))
    assert point.loss == pytest.approx(expected, rel=1e-5)
    assert paths.batch_gradient_by_length(point).error < 1e-5
