"""Skips and additions as others write them: all are found, and deleting is the model without."""

import ast
import re

import keras
import numpy as np
import pytest
from keras import layers, ops

from residual_ensembles import models, paths
from residual_ensembles.unraveling import unravel
from tests.helpers import published
from tests.helpers import unraveled_networks as networks
from tests.helpers.checks import check, titles


def two_modules(skip, f, shape=(8, 8, 8), first=None):
    """A module of one shape, and one whose skip is to be found."""
    x = inputs = keras.Input(shape, name="x")
    convolution = layers.Conv2D if len(shape) == 3 else layers.Conv1D
    convolution = layers.Conv3D if len(shape) == 4 else convolution
    first = first or convolution(shape[-1], 3, padding="same", activation="relu", name="first")
    y = layers.Add(name="same")([x, first(x)])
    y = layers.Add(name="changed")([skip(y), f(y)])
    y = layers.Dense(4, name="out")(layers.Flatten(name="flat")(y))
    return networks.moved(keras.Model(inputs, y, name="others"))


def halved(y):
    return layers.Conv2D(16, 3, 2, padding="same", activation="relu", name="half")(y)


@keras.saving.register_keras_serializable("tests")
class OptionA(layers.Layer):
    """Every second place, and zeros for the new channels."""

    def call(self, y):
        return ops.pad(y[:, ::2, ::2], [(0, 0), (0, 0), (0, 0), (0, y.shape[-1])])

    def compute_output_shape(self, shape):
        return (shape[0], -(-shape[1] // 2), -(-shape[2] // 2), 2 * shape[3])


@keras.saving.register_keras_serializable("tests")
class Projection(layers.Layer):
    """A projection with weights that no list knows."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 16), name="kernel")
        self.bias = self.add_weight(shape=(16,), name="bias")

    def call(self, y):
        return ops.matmul(y[:, ::2, ::2], self.kernel) + self.bias

    def compute_output_shape(self, shape):
        return (shape[0], -(-shape[1] // 2), -(-shape[2] // 2), 16)


def zeros_beside(y):
    y = layers.AveragePooling2D(1, 2)(y)
    return layers.Concatenate()([y, 0.0 * y])


def twice_as_wide(rank):
    convolution = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}[rank]
    up = {1: layers.UpSampling1D, 2: layers.UpSampling2D, 3: layers.UpSampling3D}[rank]

    def f(y):
        return convolution(4, 3, padding="same", activation="relu")(up(2)(y))

    return up(2), f, (4,) * rank + (4,)


def conv(rank, *, name="conv", **options):
    kind = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}[rank]
    return kind(4, 3, activation="relu", name=name, **options)


LINES = (16, 4)
SKIPS = {
    "projected_by_a_layer_named_linear": (
        lambda y: layers.Activation("linear")(layers.Conv2D(16, 1, 2)(y)),
        halved,
    ),
    "option_a_by_slices": (
        lambda y: ops.pad(y[:, ::2, ::2], [(0, 0), (0, 0), (0, 0), (4, 4)]),
        halved,
    ),
    "option_a_by_lambda": (
        layers.Lambda(
            lambda y: ops.pad(y[:, ::2, ::2], [(0, 0), (0, 0), (0, 0), (4, 4)]),
            output_shape=(4, 4, 16),
        ),
        halved,
    ),
    "option_a_by_zeros": (zeros_beside, halved),
    "option_a_of_ones_own": (OptionA(name="option_a"), halved),
    "own_projection": (Projection(name="projection"), halved),
    "cropped": (layers.Cropping1D(1), conv(1), LINES),
    "cropped_3d": (layers.Cropping3D(1), conv(3), (4, 4, 4, 4)),
    "padded": (layers.ZeroPadding1D(1), lambda y: conv(1)(layers.ZeroPadding1D(2)(y)), LINES),
    "padded_3d": (
        layers.ZeroPadding3D(1),
        lambda y: conv(3)(layers.ZeroPadding3D(2)(y)),
        (3, 3, 3, 4),
    ),
    "pooled_1d": (layers.AveragePooling1D(2), conv(1, strides=2, padding="same"), LINES),
    "pooled_3d": (layers.MaxPooling3D(2), conv(3, strides=2, padding="same"), (4, 4, 4, 4)),
    "pooled_by_ops": (
        lambda y: ops.max_pool(y, 2),
        lambda y: ops.relu(layers.Conv2D(8, 3, 2, padding="same", name="half")(y)),
    ),
    "enlarged_1d": twice_as_wide(1),
    "enlarged_3d": twice_as_wide(3),
    "scaled": (lambda y: 0.5 * y, conv(1, padding="same"), LINES),
    "rescaled": (layers.Rescaling(0.3), conv(1, padding="same"), LINES),
    "sliced": (lambda y: y[:, 2:], lambda y: conv(1, padding="same")(y[:, :-2]), LINES),
    "reshaped": (
        layers.Reshape((8, 8)),
        lambda y: layers.Dense(8, activation="relu")(layers.Reshape((8, 8))(y)),
        LINES,
    ),
    "transposed": (
        lambda y: ops.transpose(y, (0, 2, 1)),
        lambda y: layers.Dense(16, activation="relu")(ops.transpose(y, (0, 2, 1))),
        LINES,
    ),
    "time_distributed": (
        layers.TimeDistributed(layers.Dense(6)),
        layers.LSTM(6, return_sequences=True),
        LINES,
    ),
    "separable": (
        layers.SeparableConv1D(6, 3, padding="same"),
        layers.GRU(6, return_sequences=True),
        LINES,
    ),
}


@pytest.mark.parametrize("name", SKIPS)
def test_skips_of_every_kind(name, tmp_path):
    pruned = name in ("option_a_by_slices", "option_a_of_ones_own", "own_projection", "scaled")
    check(two_modules(*SKIPS[name]), ["same", "changed"], None, tmp_path if pruned else None)


@pytest.mark.parametrize(
    ("skip", "f"),
    [
        (layers.Lambda(lambda y: ops.tanh(y)), layers.Dense(4, activation="relu")),
        (lambda y: ops.abs(y), layers.Dense(4, activation="relu")),
        (lambda y: y * y, layers.Dense(4, activation="relu")),
        (lambda y: 0.0 * y, layers.Dense(4, activation="relu")),
        (lambda y: 0.5 * y, lambda y: 2.0 * y[:, ::-1]),  # neither does anything: a rotation, say
    ],
)
def test_what_is_no_skip(skip, f):
    model = two_modules(skip, f, LINES)
    chain = unravel(model)
    assert titles(chain) == ["same"]
    assert any("changed: no module, none of its branches is an identity" in n for n in chain.notes)


def test_a_branch_that_begins_at_zero_is_no_skip():
    """What is zero is linear, too: a residual whose last norm begins so, beside a projection."""

    @keras.saving.register_keras_serializable("tests")
    class Gain(layers.Layer):
        def build(self, shape):
            self.gain = self.add_weight(shape=(), initializer="zeros", name="gain")

        def call(self, y):
            return self.gain * ops.sin(y)

    x = keras.Input((6, 4), name="x")
    y = layers.Add(name="sum")([Gain(name="gain")(x), layers.TimeDistributed(layers.Dense(4))(x)])
    chain = unravel(keras.Model(x, y))
    assert chain.graph.name_of(chain.modules[0].candidate.skip).startswith("time_distributed")


@keras.saving.register_keras_serializable("tests")
class Places(layers.Layer):
    """A table by place, repeated for each example of what enters."""

    def build(self, shape):
        self.table = self.add_weight(shape=shape[1:], name="kernel")

    def call(self, y):
        return ops.broadcast_to(self.table, ops.shape(y))


def test_what_does_not_depend_on_what_enters_is_no_residual():
    x = keras.Input((6, 8), name="x")
    y = layers.Dense(8, name="stem")(x)
    y = layers.Add(name="places")([y, Places(name="table")(y)])
    y = layers.Add(name="sum")([y, layers.Dense(8, activation="relu", name="f")(y)])
    model = networks.moved(keras.Model(x, layers.Dense(3, name="out")(layers.Flatten()(y))))
    chain = check(model, ["sum"])
    assert "places: no module, what is added does not depend on what enters" in chain.notes


def test_residuals_that_begin_constant_are_modules():
    x = y = keras.Input((8,), name="x")
    for i in (1, 2):
        f = layers.Dense(8, kernel_initializer="zeros", bias_initializer="ones")(y)
        y = layers.Add(name=f"add{i}")([y, layers.ReLU()(f)])
    assert titles(unravel(keras.Model(x, y))) == ["add1", "add2"]


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(
    ("add", "types"),
    [
        (lambda y, f: layers.Add()([y, f]) * np.sqrt(0.5), ["float32", "float32", "float32"]),
        (lambda y, f: y + f * np.sqrt(0.5), ["float64", "float64", "float64"]),
    ],
)
def test_sums_of_several_types(add, types, beside, tmp_path):
    """NumPy's numbers make float64 of what they scale, which layers cast back and `+` does not."""
    x = keras.Input((8,), name="x")
    first = y = layers.Dense(8, name="stem")(x)
    for i in range(3):
        y = add(y, layers.Dense(8, activation="relu", name=f"f{i}")(y))
    y = layers.Concatenate(name="both")([y, first]) if beside else y
    model = networks.moved(keras.Model(x, layers.Dense(3, name="out")(y)))
    names = [each.name for each in model.operations if each.name.startswith("add")]
    chain = check(model, names, None, tmp_path)
    assert [module.sum_dtype for module in chain.modules] == types
    check_paths(chain)


def check_paths(chain):
    """All paths together are the gradient of the model itself."""
    inputs = networks.inputs_for(chain.network, 6)
    exact = paths.batch_gradient_by_length(
        paths.Linearization(chain).linearize(inputs, np.arange(6) % 3)
    )
    assert exact.error < 1e-4
    assert exact.lengths.tolist() == list(range(1 + len(chain.modules)))


def added_by(add, n=2):
    x = keras.Input((8,), name="x")
    y = layers.Dense(8, name="stem")(x)
    for i in range(1, n + 1):
        y = add(y, layers.Dense(8, activation="relu", name=f"f{i}")(y), f"add{i}")
    return networks.moved(keras.Model(x, layers.Dense(3, name="out")(y)))


@keras.saving.register_keras_serializable("tests")
class ReZero(layers.Layer):
    """x + α f, with α learned: it begins at zero (Bachlechner et al. 2021)."""

    def build(self, shape):
        self.alpha = self.add_weight(shape=(), initializer="zeros", name="alpha")

    def call(self, inputs):
        x, f = inputs
        return x + self.alpha * f


@keras.saving.register_keras_serializable("tests")
class LayerScale(layers.Layer):
    """The same with one number for each channel, and its arguments one by one."""

    def build(self, shape):
        self.gamma = self.add_weight(shape=(shape[-1],), name="gamma")

    def call(self, f, x):
        return self.gamma * f + x


@pytest.mark.parametrize(
    ("add", "skip"),
    [
        (lambda x, f, name: layers.Lambda(lambda both: both[0] + both[1], name=name)([x, f]), 0),
        (
            lambda x, f, name: layers.Lambda(
                lambda both, scale: both[0] + both[1] * scale,
                arguments={"scale": 0.17},
                name=name,
            )([x, f]),
            0,
        ),
        (
            lambda x, f, name: layers.Lambda(lambda b: 0.3 * b[0] + b[1], name=name)([f, x]),
            1,
        ),
        (lambda x, f, name: layers.Subtract(name=name)([x, f]), 0),
        (lambda x, f, name: layers.Subtract(name=name)([f, x]), lambda f, x: -x),
        (lambda x, f, name: layers.Average(name=name)([x, f]), lambda x, f: 0.5 * x),
        (lambda x, f, name: ReZero(name=name)([x, f]), 0),
        (lambda x, f, name: LayerScale(name=name)(f, x), 1),
    ],
)
def test_additions_of_every_kind(add, skip, tmp_path):
    skips = dict.fromkeys(("add1", "add2"), skip)
    check_paths(check(added_by(add), ["add1", "add2"], skips, tmp_path))


def test_subtraction_by_its_sign():
    x = keras.Input((8,), name="x")
    y = x - layers.Dense(8, activation="relu", name="f1")(x)
    y = y - layers.Dense(8, activation="relu", name="f2")(y)
    model = networks.moved(keras.Model(x, layers.Dense(3, name="out")(y)))
    assert len(unravel(model).modules) == 2


def test_rezero_has_its_modules_before_it_is_trained():
    x = y = keras.Input((8,), name="x")
    for i in (1, 2):
        y = ReZero(name=f"add{i}")([y, layers.Dense(8, activation="relu")(y)])
    chain = unravel(keras.Model(x, y))
    assert titles(chain) == ["add1", "add2"]
    assert [m.candidate.skip == m.candidate.entry for m in chain.modules] == [True, True]


@keras.saving.register_keras_serializable("tests")
class Gate(layers.Layer):
    """Of two tensors something that is no sum."""

    def call(self, x, f):
        return x * ops.sigmoid(f)


@pytest.mark.parametrize(
    "merge",
    [
        lambda x, f, name: Gate(name=name)(x, f),
        lambda x, f, name: layers.Lambda(lambda b: ops.maximum(b[0], b[1]), name=name)([x, f]),
        lambda x, f, name: layers.Multiply(name=name)([x, f]),
        lambda x, f, name: layers.Lambda(lambda both: both[0], name=name)([x, f]),
    ],
)
def test_where_nothing_adds_the_error_says_how_to_cut(merge):
    model = added_by(merge)
    with pytest.raises(ValueError, match="add1, add2") as said:
        unravel(model)
    assert "boundaries=[('stem', 'add1', 'stem')]" in str(said.value)


def highway(x, f, name):
    gate = layers.Dense(8, activation="sigmoid", name=f"gate_{name}")(x)
    return layers.Identity(name=name)(gate * f + (1 - gate) * x)


@pytest.mark.parametrize(
    "merge",
    [
        highway,
        lambda x, f, name: ops.sum(ops.stack([x, f]), axis=0),
        lambda x, f, name: ops.mean(ops.stack([x, f], axis=-1), axis=-1),
        lambda x, f, name: layers.Dense(8, name=name)(layers.Concatenate()([x, f])),
    ],
)
def test_what_the_error_says_can_be_cut(merge):
    """Deleted, such a module is the identity, whatever stands where its branches meet."""
    model = added_by(merge)
    with pytest.raises(ValueError, match="branches meet at") as said:
        unravel(model)
    [suggested] = re.findall(r"boundaries=(\[.*?\])", str(said.value))
    [(begin, end, skip)] = ast.literal_eval(suggested)
    assert (begin, skip) == ("stem", "stem")
    chain, inputs = unravel(model, boundaries=[(begin, end, skip)]), networks.inputs_for(model)
    np.testing.assert_allclose(chain(inputs), model(inputs), rtol=1e-4, atol=1e-5)
    rest = keras.Model(model.get_layer("f2").input, model.output)
    expected = rest(model.get_layer("stem")(inputs))
    np.testing.assert_allclose(chain.without(1)(inputs), expected, rtol=1e-4, atol=1e-5)
    assert np.abs(np.asarray(expected) - model(inputs)).max() > 1e-3


def test_the_summary_tells_an_activation_on_a_skip():
    inputs = layers.Input((8,))
    stem = layers.Dense(6, name="stem")(inputs)
    skip = layers.ReLU(name="skip")(stem)
    total = layers.Add(name="sum")([skip, layers.Dense(6)(stem)])
    model = keras.Model(inputs, layers.Dense(3)(total))
    table = unravel(model, boundaries=[("stem", "sum", "skip")]).summary_table()
    assert table["skip"].tolist() == ["nonlinear"]


def test_a_cut_where_branches_meet_in_another_way(tmp_path):
    model = added_by(lambda x, f, name: Gate(name=name)(x, f))
    boundaries = [("stem", "add1", "stem"), ("add1", "add2", "add1")]
    chain = check(model, ["add1", "add2"], None, tmp_path, boundaries=boundaries)
    models.save(chain, tmp_path / "chain.keras")
    inputs = networks.inputs_for(model)
    loaded = models.load(tmp_path / "chain.keras")
    np.testing.assert_array_equal(loaded(inputs), chain(inputs))


def wavenet(n=4, accumulated=False, shared=True):
    """Oord et al. 2016: each module outputs something on the side, and all of it is added up."""
    x = inputs = keras.Input((16, 8), name="x")
    skips = []
    for i in range(1, n + 1):
        gated = layers.Multiply(name=f"gated{i}")(
            [
                layers.Conv1D(8, 2, padding="causal", activation="tanh", name=f"tanh{i}")(x),
                layers.Conv1D(8, 2, padding="causal", activation="sigmoid", name=f"sigmoid{i}")(x),
            ]
        )
        out = layers.Conv1D(8, 1, name=f"out{i}")(gated)
        skips.append(layers.Conv1D(8, 1, name=f"skip{i}")(gated) if shared else out)
        x = layers.Add(name=f"residual{i}")([x, out])
    total = skips[0]
    if accumulated:
        for i, skip in enumerate([*skips[1:], x], start=1):
            total = layers.Add(name=f"sum{i}")([total, skip])
    else:
        total = layers.Add(name="sum")([*skips, layers.Conv1D(8, 1, name="last")(x)])
    y = layers.GlobalAveragePooling1D(name="pool")(layers.ReLU(name="relu")(total))
    return networks.moved(keras.Model(inputs, layers.Dense(3, name="head")(y), name="wavenet"))


@pytest.mark.parametrize("options", [{}, {"accumulated": True}, {"shared": False}])
def test_sums_of_skips_are_no_module(options, tmp_path):
    chain = check(wavenet(**options), [f"residual{i}" for i in (1, 2, 3, 4)], None, tmp_path)
    assert not any(title.startswith("sum") for title in titles(chain))
    check_paths(chain)


def test_a_condition_that_is_added_within_branches_is_no_module():
    """Oord et al. 2016, equation 3: another input in each gate, beside the sum of skips."""
    x = inputs = keras.Input((12, 6), name="x")
    condition, skips = keras.Input((3,), name="condition"), []
    for i in (1, 2):
        c = layers.Reshape((1, 6), name=f"c{i}")(layers.Dense(6, name=f"dense{i}")(condition))
        f = layers.Conv1D(6, 2, padding="causal", name=f"conv{i}")(x)
        f = layers.Activation("tanh", name=f"tanh{i}")(layers.Add(name=f"with{i}")([f, c]))
        skips.append(layers.Conv1D(6, 1, name=f"skip{i}")(f))
        x = layers.Add(name=f"residual{i}")([x, layers.Conv1D(6, 1, name=f"out{i}")(f)])
    y = layers.GlobalAveragePooling1D(name="pool")(layers.Add(name="sum")([*skips, x]))
    model = keras.Model([inputs, condition], layers.Dense(3, name="head")(y), name="conditioned")
    chain = check(networks.moved(model), ["residual1", "residual2"])
    assert any(note.startswith("sum: no module, it adds up") for note in chain.notes)


def test_a_condition_that_passes_a_module_hands_on_no_sum_of_others():
    """The time, which each block adds, goes around the blocks to the next one."""
    assert titles(unravel(published.diffusion_u_net())) == ["down1", "down2", "up1"]


def test_a_temporal_convolutional_network_with_skip_connections():
    """Bai et al. 2018 with the sum of all branches; the first skip is a projection."""
    x = inputs = keras.Input((12, 3), name="x")
    sides = []
    for i in (1, 2, 3):
        f = layers.Conv1D(6, 3, padding="causal", dilation_rate=2 ** (i - 1), name=f"conv{i}")(x)
        f = layers.ReLU(name=f"relu{i}")(f)
        x = layers.Conv1D(6, 1, name="match")(x) if i == 1 else x
        x = layers.ReLU(name=f"after{i}")(layers.Add(name=f"add{i}")([x, f]))
        sides.append(f)
    y = layers.Add(name="sides")([*sides, x])
    y = layers.Dense(3, name="head")(layers.Lambda(lambda z: z[:, -1], name="last")(y))
    model = networks.moved(keras.Model(inputs, y, name="tcn"))
    check(model, ["add1", "add2", "add3"])


@keras.saving.register_keras_serializable("tests")
class Context(layers.Layer):
    """x + γ f, where f is repeated (Cao et al. 2019)."""

    def build(self, x_shape, f_shape):
        self.gamma = self.add_weight(shape=(), name="gamma")

    def call(self, x, f):
        return x + self.gamma * f

    def compute_output_shape(self, x_shape, f_shape):
        return x_shape


REPEATED = {
    "lambda": lambda x, f: layers.Lambda(lambda both: both[0] + both[1], name="wide")([x, f]),
    "subtract": lambda x, f: layers.Subtract(name="wide")([x, f]),
    "average": lambda x, f: layers.Average(name="wide")([x, f]),
    "layer": lambda x, f: Context(name="wide")(x, f),
}


def broadcast_net(kind):
    x = inputs = keras.Input((8, 8, 1 if kind == "skip" else 8), name="x")
    if kind == "skip":
        y = layers.Add(name="wide")(
            [x, layers.Conv2D(8, 3, padding="same", activation="relu", name="f1")(x)]
        )
    elif kind == "context" or kind in REPEATED:  # Cao et al. 2019
        f = layers.GlobalAveragePooling2D(keepdims=True, name="global")(x)
        f = layers.Dense(8, activation="relu", name="f1")(f)
        y = REPEATED[kind](x, f) if kind in REPEATED else layers.Add(name="wide")([x, f])
    elif kind == "place":  # a skip of one place beside a map
        s = layers.GlobalAveragePooling2D(keepdims=True, name="global")(x)
        y = layers.Lambda(lambda both: 0.5 * both[0] + both[1], name="wide")(
            [s, layers.Conv2D(8, 3, padding="same", activation="relu", name="f1")(x)]
        )
    else:
        y = x + layers.Conv2D(1, 3, padding="same", activation="relu", name="f1")(x)
    y = layers.Add(name="last")(
        [y, layers.Conv2D(8, 3, padding="same", activation="relu", name="f2")(y)]
    )
    y = layers.GlobalAveragePooling2D(name="pool")(y)
    return networks.moved(keras.Model(inputs, layers.Dense(3, name="out")(y), name=kind))


@pytest.mark.parametrize(
    "kind",
    [
        "skip",
        "context",
        "plus",
        "lambda",
        "layer",
        "place",
        pytest.param("subtract", marks=pytest.mark.slow),
        pytest.param("average", marks=pytest.mark.slow),
    ],
)
def test_sums_of_different_shapes_have_the_shape_of_the_sum(kind, tmp_path):
    model = broadcast_net(kind)
    # Keras counts the sums that nobody names.
    name = next(o.name for o in model.operations if o.name.startswith(("wide", "add")))
    skips = {
        "skip": lambda x, f: ops.tile(x, (1, 1, 1, 8)),
        "place": lambda x, f: ops.tile(0.5 * x, (1, 8, 8, 1)),
        "average": lambda x, f: 0.5 * x,
    }
    chain = check(model, [name, "last"], {name: skips.get(kind, 0)}, tmp_path)
    assert chain.modules[0].output_state.shapes[0] == (8, 8, 8)
    if kind in ("lambda", "place"):
        check_paths(chain)
