"""Graphs of many kinds as chains, against the models that they come from."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops

from residual_ensembles import models, paths
from residual_ensembles.lesions import Lesion, evaluate, lesion_study
from residual_ensembles.models import in_float32
from residual_ensembles.unraveling import unravel
from residual_ensembles.unraveling.chain_summary import text
from tests.helpers import unraveled_networks as networks
from tests.helpers.checks import titles


def skips(chain):
    return [module.candidate.skip is not None for module in chain.modules]


@pytest.mark.parametrize(
    ("make", "options", "expected", "between"),
    [
        (networks.residual_net, {}, ["first", "second", "third"], (2,)),
        (networks.u_net, {}, ["block1", "block2", "block3", "block4"], (1, 3)),
        (networks.nested_net, {}, ["middle/inner/add", "middle/inner/add:2"], (1,)),
        (networks.masked_net, {}, ["add1", "add2"], ()),
        (
            networks.transformer_of_blocks,
            {"modules": [networks.Block]},
            ["block1", "block2", "block3"],
            (),
        ),
        (
            networks.sequential_net,
            {"modules": [layers.Conv2D]},
            ["conv2", "conv3", "conv5"],
            (1, 2),
        ),
    ],
)
def test_a_chain_is_its_model(make, options, expected, between):
    model = make()
    config, weights = model.get_config(), model.get_weights()
    chain = unravel(model, **options)
    assert titles(chain) == expected
    assert chain.segment_positions == between
    assert chain.agreement < 1e-6
    inputs = networks.inputs_for(model)
    np.testing.assert_allclose(chain(inputs), model(inputs), rtol=1e-5, atol=1e-6)
    # Not changed, and not copied.
    assert model.get_config() == config
    for one, other in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert {id(v) for v in chain.variables} == {id(v) for v in model.variables}
    assert all(len(layer._inbound_nodes) < 3 for layer in model.layers)


def test_masks_and_inputs_are_carried_along():
    model = networks.attention_net()
    chain = unravel(model)
    assert len(chain.modules) == 4
    assert [len(layout.carried) for layout in chain.partition.input_layouts] == [1, 1, 1, 1]
    inputs = networks.inputs_for(model)
    assert not inputs["mask"].all()
    expected = model(inputs)
    np.testing.assert_allclose(chain(inputs), expected, rtol=1e-5, atol=1e-6)
    packed = chain.packed_inputs(inputs)
    assert packed.shape == (20, 12)
    np.testing.assert_allclose(chain(packed), expected, rtol=1e-5, atol=1e-6)
    # All modules stand at positions of one layout, the last too, whose mask nobody needs.
    assert len({module.input_layout for module in chain.modules}) == 1


def test_a_table_without_a_batch_is_carried_along():
    model = networks.table_net()
    chain, inputs = unravel(model, modules=[networks.Shifted]), networks.inputs_for(model)
    assert titles(chain) == ["block1", "block2", "block3"]
    assert "carried along: positions" in text(chain)
    np.testing.assert_allclose(chain(inputs), model(inputs), rtol=1e-5, atol=1e-6)
    get = model.get_layer
    stem = get("stem")(inputs)
    y = get("block3")(get("block1")(stem, get("positions")(stem)), get("positions")(stem))
    expected = get("out")(get("pool")(y))
    result = chain(inputs, gates=np.array([1, 0, 1], "float32"))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
    plan = [Lesion(), Lesion(swaps=[(1, 3)]), Lesion(deletions=[2]), Lesion(duplications=[1])]
    assert evaluate(chain, plan, inputs).agreement.largest_relative_difference < 1e-5


def test_what_has_no_batch_and_depends_on_the_examples_is_refused():
    model = networks.table_net(lambda y: ops.mean(y, axis=0))
    with pytest.raises(ValueError, match=r"mean(_\d+)? has no batch axis"):
        unravel(model, modules=[networks.Shifted])


def test_inputs_may_go_by_their_names():
    later, sooner = keras.Input((5,), name="z"), keras.Input((5,), name="a")
    y = layers.Subtract(name="minus")([later, sooner])
    y = layers.Add(name="sum")([y, layers.Dense(5, activation="tanh", name="f")(y)])
    model = networks.moved(keras.Model([later, sooner], layers.Dense(3, name="out")(y)))
    chain, inputs = unravel(model), networks.inputs_for(model)
    expected = model([inputs["z"], inputs["a"]])
    np.testing.assert_array_equal(chain([inputs["z"], inputs["a"]]), expected)
    np.testing.assert_array_equal(chain(inputs), expected)
    np.testing.assert_array_equal(chain(inputs | {"other": inputs["a"]}), expected)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="text needs TensorFlow")
def test_text_is_refused():
    x = keras.Input((1,), dtype="string", name="text")
    y = layers.Embedding(9, 4, name="tokens")(
        layers.TextVectorization(vocabulary=["a", "b"], output_sequence_length=3)(x)
    )
    y = layers.Add(name="sum")([y, layers.Dense(4, name="f")(y)])
    with pytest.raises(ValueError, match="input 'text'"):
        unravel(keras.Model(x, layers.Flatten()(y)))


def test_kept_shapes_and_skips():
    chain = unravel(networks.residual_net())
    assert chain.shapes == [(8, 8, 4), (8, 8, 4), (4, 4, 5), (4, 4, 5)]
    assert [module.keeps_shape for module in chain.modules] == [True, False, True]
    assert [module.is_identity_when_deleted for module in chain.modules] == [True, False, False]
    assert chain.downsampling == (2,)


def test_deleting_is_the_model_without():
    model = networks.residual_net()
    chain, inputs = unravel(model), networks.inputs_for(model)
    places = {"first": 0, "second": 0, "third": 0}
    for deleted in (["first"], ["second"], ["third"], ["first", "third"]):
        gates = np.array([title not in deleted for title in titles(chain)], "float32")
        expected = networks.without(model, {name: places[name] for name in deleted})(inputs)
        np.testing.assert_allclose(chain(inputs, gates=gates), expected, rtol=1e-5, atol=1e-6)
        assert float(ops.max(ops.abs(expected - model(inputs)))) > 1e-2


def test_training_goes_through_the_layers_of_the_model():
    model = networks.residual_net()
    chain = unravel(model)
    before = model.get_layer("second_norm").moving_mean.numpy()
    chain(networks.inputs_for(model), training=True)
    assert (model.get_layer("second_norm").moving_mean.numpy() != before).any()
    before = model.get_layer("second_norm").moving_mean.numpy()
    chain(networks.inputs_for(model), gates=np.zeros(3, "float32"), training=True)
    np.testing.assert_array_equal(model.get_layer("second_norm").moving_mean.numpy(), before)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (networks.residual_net, {}),
        (networks.attention_net, {}),
        (
            networks.transformer_of_blocks,
            {"modules": lambda layer: layer.name in ("block1", "block3")},
        ),
        (networks.u_net, {"boundaries": ["block1", ("long_skip", "block4")]}),
    ],
)
def test_a_chain_is_saved_with_its_model(make, options, tmp_path):
    model = make()
    chain = unravel(model, **options)
    models.save(chain, tmp_path / "chain.keras")
    loaded = models.load(tmp_path / "chain.keras")
    inputs = networks.inputs_for(model)
    assert titles(loaded) == titles(chain)
    assert len(loaded.weights) == len(chain.weights) == len(model.weights)
    np.testing.assert_array_equal(loaded(inputs), chain(inputs))


def test_what_a_model_was_trained_with_is_not_saved(tmp_path):
    def loss_of_ones_own(targets, outputs):
        return ops.mean(targets - outputs)

    model = networks.nested_net()
    model.compile("sgd", loss_of_ones_own)
    models.save(unravel(model), tmp_path / "chain.keras")
    inputs = networks.inputs_for(model)
    loaded = models.load(tmp_path / "chain.keras")
    np.testing.assert_array_equal(loaded(inputs), unravel(model)(inputs))


def test_an_activation_stays_and_sums_are_flat():
    x = keras.Input((4,), name="x")
    y = layers.Dense(5, name="stem")(x)
    f = layers.Dense(5, activation="tanh", name="f")(y)
    g = layers.Dense(5, activation="tanh", name="g")(y)
    y = layers.Add(name="sum")([layers.Add(name="part")([f, y]), g])
    model = networks.moved(keras.Model(x, layers.Dense(2)(ops.relu(y))))
    chain = unravel(model)
    [module] = chain.modules
    assert (len(module.candidate.residuals), module.candidate.total == module.candidate.output) == (
        2,
        False,
    )
    assert chain.agreement < 1e-6


def test_where_two_readings_are_possible_the_summary_says_which():
    def net():
        x = keras.Input((4,), name="x")
        y = layers.Dense(5, activation="tanh", name="stem")(x)
        one = layers.Dense(5, name="one")(y)
        other = layers.BatchNormalization(name="norm")(layers.Dense(5, name="other")(y))
        y = layers.Add(name="sum")([other, one])
        return networks.moved(keras.Model(x, layers.Dense(2, name="out")(y)))

    model = net()
    chain = unravel(model)
    assert chain.notes == ["sum: skip taken: one, not norm"]
    assert "skip taken: one, not norm" in text(chain)
    other = unravel(model, boundaries=[("stem", "sum", "norm")])
    inputs = networks.inputs_for(model)
    closed = np.zeros(1, "float32")
    stem = model.get_layer("stem")(inputs)
    for unraveled, name in ((chain, "one"), (other, "other")):
        y = model.get_layer(name)(stem)
        y = model.get_layer("norm")(y) if name == "other" else y
        expected = model.get_layer("out")(y)
        np.testing.assert_allclose(unraveled(inputs, gates=closed), expected, rtol=1e-5, atol=1e-6)


def test_the_summary_counts():
    table = unravel(networks.residual_net()).summary_table()
    names = ["module", "name", "begins", "ends", "skip"]
    assert table[names].values.tolist() == [
        [1, "first", "stem", "first", "identity"],
        [2, "second", "first", "second", "projection"],
        [3, "third", "between", "third_relu", "identity"],
    ]
    # By hand: kernel and bias; 3·3·4·4 at 64 places. Then norm and convolution, at 16 places.
    assert table["parameters"].tolist()[:2] == [3 * 3 * 4 * 4 + 4, 3 * 3 * 4 * 6 + 6 + 4 * 6]
    assert table["multiply_adds"].tolist()[:2] == [3 * 3 * 4 * 4 * 64, 3 * 3 * 4 * 6 * 16]
    assert table["shape_in"].tolist() == [(8, 8, 4), (8, 8, 4), (4, 4, 5)]
    assert table["shape_out"].tolist() == [(8, 8, 4), (4, 4, 6), (4, 4, 5)]


def test_the_summary_is_printed(capsys):
    chain, lines = unravel(networks.residual_net()), []
    assert chain.summary() is None
    printed = capsys.readouterr().out
    assert printed.startswith("net: 3 modules, ")
    assert "plain segments after: 2" in printed
    assert "differ by" in printed
    chain.summary(print_fn=lines.append)
    assert [*lines, ""] == [*printed.rsplit("\n", 1)]
    chain.summary(line_length=60)
    rows = capsys.readouterr().out.splitlines()[1:-2]
    assert max(map(len, rows)) <= 60 < max(map(len, printed.splitlines()))


@pytest.mark.parametrize(
    ("make", "options", "named"),
    [
        (networks.transformer_of_blocks, {}, "Block"),
        (networks.residual_net, {"boundaries": ["thirds"]}, "layer 'thirds'"),
        (networks.residual_net, {"boundaries": ["pool"]}, "boundary pool"),
        (networks.residual_net, {"boundaries": [("between", "second")]}, "second, .*between"),
        (networks.residual_net, {"boundaries": [("first",)]}, r"boundary \('first',\)"),
        (networks.residual_net, {"modules": ["second_conv"]}, "second_conv as a module"),
        (networks.residual_net, {"modules": [layers.LSTM]}, "LSTM"),
        (
            networks.residual_net,
            {"modules": ["second_norm"], "boundaries": ["second"]},
            "second_norm as the end",
        ),
    ],
)
def test_what_cannot_be_cut_is_refused(make, options, named):
    with pytest.raises(ValueError, match=named):
        unravel(make(), **options)


def test_what_lies_within_and_is_needed_elsewhere_is_named():
    x = keras.Input((4,), name="x")
    inside = layers.Dense(4, activation="tanh", name="inside")(x)
    y = layers.Add(name="sum")([x, layers.Dense(4, name="f")(inside)])
    model = keras.Model(x, layers.Concatenate(name="both")([y, inside]))
    with pytest.raises(ValueError, match=r"sum: inside .*both"):
        unravel(model)


def test_a_model_without_a_graph_is_refused():
    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="Own"):
        unravel(Own())
    around = Own()
    around.body = networks.residual_net()
    with pytest.raises(ValueError, match="take apart the model net"):
        unravel(around)
    with pytest.raises(ValueError, match="build"):
        unravel(keras.Sequential([layers.Dense(3)]))


def test_a_layer_that_keeps_a_state_is_refused():
    x = keras.Input(batch_shape=(2, 5, 4), name="x")
    y = layers.Add(name="sum")([x, layers.LSTM(4, return_sequences=True, stateful=True)(x)])
    with pytest.raises(ValueError, match=r"lstm.*stateful"):
        unravel(keras.Model(x, y))


@pytest.mark.parametrize(
    "module",
    ["tf_keras.src.engine.functional", "tensorflow.python.keras.engine.functional", "keras.engine"],
)
def test_a_model_of_keras_2_is_refused(module):
    base = type("Functional", (), {"__module__": module})
    for model in (base(), type("Own", (base,), {"__module__": "__main__"})()):
        with pytest.raises(ValueError, match="Keras 2"):
            unravel(model)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("mine.keras", "the path 'mine.keras'.*unraveling.load"),
        (Path("mine.keras"), "the path 'mine.keras'.*unraveling.load"),
        (layers.Dense(3), "Received a Dense, expected a functional"),
        (None, "Received a NoneType, expected a functional"),
    ],
)
def test_what_is_no_model_is_refused(model, named):
    with pytest.raises(ValueError, match=named):
        unravel(model)


def test_a_model_within_a_layer_is_named():
    inner = networks.residual_net()
    x = keras.Input((2, 8, 8, 3), name="x")
    y = layers.TimeDistributed(inner, name="frames")(x)
    with pytest.raises(ValueError, match="net within frames"):
        unravel(keras.Model(x, layers.Dense(3)(y)))
    y = layers.Add(name="sum")([y, layers.Dense(4, activation="relu")(y)])
    assert any("net within frames" in note for note in unravel(keras.Model(x, y)).notes)


def test_a_layer_that_is_always_trained_is_noted():
    x = keras.Input((6,), name="x")
    f = layers.Dropout(0.5, name="drop")(layers.Dense(6, activation="relu")(x), training=True)
    chain = unravel(keras.Model(x, layers.Add(name="sum")([x, f])))
    assert "drop: called with training=True, which inference leaves out" in text(chain)


def test_free_sizes_have_to_be_said():
    x = keras.Input((None, None, 2), name="x")
    y = layers.Conv2D(2, 3, padding="same", activation="relu")(x)
    y = layers.GlobalAveragePooling2D()(layers.Add(name="sum")([x, y]))
    model = keras.Model(x, y)
    with pytest.raises(ValueError, match="input 'x'"):
        unravel(model)
    assert unravel(model, input_shape=(6, 6, 2)).shapes[0] == (6, 6, 2)
    example = np.ones((3, 5, 7, 2), "float32")
    assert unravel(model, example_inputs=example).shapes[0] == (5, 7, 2)


def test_a_network_with_nan_among_its_weights_is_refused():
    model = networks.residual_net()
    kernel = model.get_layer("second_conv").kernel
    values = kernel.numpy()
    values[0, 0, 0, 0] = np.nan
    kernel.assign(values)
    with pytest.raises(ValueError, match="second_conv/kernel"):
        unravel(model)
    kernel.assign(np.full(kernel.shape, np.inf))
    with pytest.raises(ValueError, match="outputs NaN"):
        unravel(model)


@pytest.mark.parametrize(
    ("gates", "named"),
    [
        (np.ones(4, "float32"), r"\(4,\)"),
        (np.ones(2, "float32"), r"\(2,\)"),
        (np.array([1, np.nan, 1], "float32"), "gate nan for module 2"),
        (np.array([1, 1, np.inf], "float32"), "gate inf for module 3"),
        (np.array([-1, 1, 1], "float32"), "gate -1 for module 1"),
    ],
)
def test_gates_that_are_none_are_refused(gates, named):
    model = networks.residual_net()
    with pytest.raises(ValueError, match=named):
        unravel(model)(networks.inputs_for(model), gates=gates)


@pytest.mark.parametrize("gates", [[1, 0, 1], (True, False, True), np.array([1, 0, 1])])
def test_gates_may_be_a_list(gates):
    model = networks.residual_net()
    chain, inputs = unravel(model), networks.inputs_for(model)
    np.testing.assert_allclose(chain(inputs, gates=gates), chain.without(2)(inputs), rtol=1e-5)


def test_a_module_without_a_skip_is_open_or_closed():
    model = networks.sequential_net()
    chain = unravel(model, modules=["conv2"])
    with pytest.raises(ValueError, match=r"gate 0\.5 for module 1"):
        chain(networks.inputs_for(model), gates=np.array([0.5], "float32"))


def test_a_layer_that_is_random_is_refused():
    @keras.saving.register_keras_serializable("tests")
    class Random(layers.Layer):
        def call(self, y):
            return y + keras.random.normal(ops.shape(y), seed=self.seed)

        def build(self, shape):
            self.seed = keras.random.SeedGenerator(1)

    x = keras.Input((4,), name="x")
    y = layers.Add(name="sum")([x, layers.Dense(4)(x)])
    with pytest.raises(ValueError, match="random"):
        unravel(keras.Model(x, Random()(y)))


def test_integers_that_packing_would_round_are_refused():
    user, x = keras.Input((1,), dtype="int64", name="user"), keras.Input((8,), name="x")
    y = layers.Dense(8)(x) + layers.Dense(8)(layers.CategoryEncoding(4)(user % 4))
    y = layers.Add(name="sum")([y, layers.Dense(8, activation="relu")(y)])
    model = networks.moved(keras.Model([user, x], layers.Dense(3)(y)))
    chain, numbers = unravel(model), np.ones((2, 8), "float32")
    exact = [np.array([[2**24 - 1], [5]]), numbers]
    np.testing.assert_allclose(chain(exact), model(exact), rtol=1e-5)
    for call in (chain, lambda inputs: lesion_study(chain, inputs)):
        with pytest.raises(ValueError, match="Received 100000001 in the input 'user'"):
            call([np.array([[100000001], [5]]), numbers])


def test_what_depends_on_other_examples_is_refused():
    """The standard deviation of a batch, as discriminators of images look at it."""

    @keras.saving.register_keras_serializable("tests")
    class BatchDeviation(layers.Layer):
        def call(self, y):
            return ops.concatenate([y, 0 * y[:, :1] + ops.mean(ops.std(y, axis=0))], axis=1)

    x = keras.Input((4,), name="x")
    y = layers.Add(name="sum")([x, layers.Dense(4, activation="relu")(x)])
    with pytest.raises(ValueError, match="changes with the others in its batch"):
        unravel(networks.moved(keras.Model(x, layers.Dense(3)(BatchDeviation()(y)))))


@pytest.mark.bfloat16
def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = networks.residual_net()
        chain = unravel(model)
    finally:
        keras.config.set_dtype_policy("float32")
    assert chain.agreement < 0.02
    assert chain.modules[0].input_state.dtypes == ["bfloat16"]
    inputs = networks.inputs_for(model)
    wide = in_float32(chain)
    assert wide.modules[0].input_state.dtypes == ["float32"]
    np.testing.assert_allclose(wide(inputs), ops.cast(model(inputs), "float32"), atol=0.05)
    table = paths.gradient_by_length(chain, inputs, np.arange(len(inputs)) % 4, verbose=0)
    assert table["share"].sum() == pytest.approx(1, abs=1e-4)
    plan = [Lesion(), Lesion(deletions=[1, 3])]
    rounded, exact = (evaluate(c, plan, inputs).predictions for c in (chain, wide))
    assert (rounded == exact).mean() > 0.8


@pytest.mark.bfloat16
def test_in_float32_keeps_what_was_adapted():
    inputs = np.random.default_rng(0).normal(100, 40, (20, 6)).astype("float32")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        norm = layers.Normalization(dtype="float32")
        norm.adapt(inputs)
        x = keras.Input((6,), name="x")
        y = layers.Dense(6, name="stem")(norm(x))
        y = layers.Add(name="sum")([y, layers.Dense(6, activation="relu", name="f")(y)])
        chain = unravel(keras.Model(x, layers.Dense(3, dtype="float32", name="out")(y)))
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(in_float32(chain)(inputs), chain(inputs), atol=0.1)
    assert np.asarray(chain(inputs)).std() > 0.5
