"""Networks without modules as ordinary Keras models, and greedy selection of modules."""

import itertools

import keras
import numpy as np
import pytest
from keras import layers, ops

from residual_ensembles.pruning import prune
from residual_ensembles.unraveling import unravel
from residual_ensembles.unraveling.rebuild import rebuilt
from tests.helpers import unraveled_networks as networks


@pytest.mark.parametrize(
    ("make", "options", "deleted"),
    [
        (networks.residual_net, {}, (1, 3)),
        (networks.residual_net, {}, (2,)),
        (networks.attention_net, {}, (1, 4)),
        pytest.param(networks.u_net, {}, (2, 4), marks=pytest.mark.slow),
        pytest.param(networks.masked_net, {}, (2,), marks=pytest.mark.slow),
        (networks.nested_net, {}, (1,)),
        (networks.transformer_of_blocks, {"modules": [networks.Block]}, (1, 3)),
        (networks.sequential_net, {"modules": [layers.Conv2D]}, (1, 3)),
    ],
)
def test_a_rebuilt_model_is_the_chain_without(make, options, deleted, tmp_path):
    model = make()
    chain, inputs = unravel(model, **options), networks.inputs_for(model)
    config = model.get_config()
    result = rebuilt(chain, deleted)
    gates = np.ones(len(chain.modules), "float32")
    gates[np.array(deleted) - 1] = 0
    expected = np.asarray(chain(inputs, gates=gates))
    np.testing.assert_allclose(result(inputs), expected, rtol=1e-5, atol=1e-5)
    assert result.count_params() < model.count_params() or make is networks.nested_net
    assert not {id(v) for v in result.variables} & {id(v) for v in model.variables}
    result.save(tmp_path / "smaller.keras")
    loaded = keras.models.load_model(tmp_path / "smaller.keras")
    np.testing.assert_array_equal(loaded(inputs), result(inputs))
    # The original is as it was, in every node.
    assert model.get_config() == config
    for variable in result.trainable_variables:
        variable.assign(0 * variable)
    np.testing.assert_allclose(chain(inputs, gates=gates), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_rebuilt_model_trains_as_the_original():
    model = networks.residual_net()
    result = rebuilt(unravel(model), [3])
    result.compile(optimizer=keras.optimizers.SGD(0.01), loss="mse", jit_compile=False)
    before = result.get_layer("second_norm").moving_mean.numpy()
    result.fit(networks.inputs_for(model), np.zeros((20, 4)), epochs=1, verbose=0)
    assert (result.get_layer("second_norm").moving_mean.numpy() != before).any()


@pytest.fixture(scope="module")
def case():
    model = networks.residual_net()
    labels = np.random.default_rng(4).integers(0, 4, 80)
    return model, (networks.inputs_for(model, 80), labels)


def test_each_deletion_is_the_cheapest(case):
    model, (inputs, labels) = case
    result = prune(unravel(model), 2, (inputs, labels))

    def cost(names):
        outputs = np.asarray(networks.without(model, dict.fromkeys(names, 0))(inputs))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, outputs)
        return (outputs.argmax(1) != labels).sum(), float(loss)

    names = ["first", "second", "third"]
    best = min(([n] for n in names), key=cost)
    best = min(([*best, n] for n in names if n not in best), key=cost)
    assert [names[i - 1] for i in result.deleted] == best
    assert result.steps["name"].tolist() == ["", *best]
    wrong, loss = cost(best)
    assert result.steps["error_fraction"].iloc[-1] == pytest.approx(wrong / 80)
    assert result.steps["loss"].iloc[-1] == pytest.approx(loss, rel=1e-4)
    assert cost(best) >= min(cost(pair) for pair in itertools.combinations(names, 2))


def test_inputs_and_labels_may_be_lists(case):
    model, (inputs, labels) = case
    expected = prune(unravel(model), 1, (inputs[:8], labels[:8]))
    result = prune(unravel(model), 1, (inputs[:8].tolist(), labels[:8].tolist()))
    assert result.steps.equals(expected.steps)


@pytest.mark.slow
def test_the_result_is_reported_on_the_test_split(case):
    model, validation = case
    inputs = networks.inputs_for(model, 50, seed=9)
    labels = np.asarray(model(inputs)).argmax(1)
    result = prune(unravel(model), 1, validation, (inputs, labels))
    table = result.comparison
    assert table.index.tolist() == ["original", "pruned"]
    assert table.loc["original", "error_fraction"] == 0
    wrong = (np.asarray(result.model(inputs)).argmax(1) != labels).mean()
    assert table.loc["pruned", "error_fraction"] == pytest.approx(wrong)
    assert (table["n_examples"] == 50).all()
    assert table["parameters"].tolist() == [model.count_params(), result.model.count_params()]
    assert table.loc["pruned", "multiply_adds"] < table.loc["original", "multiply_adds"]
    assert (table["latency_ms"] > 0).all()
    low, high = table.loc["pruned", ["error_low", "error_high"]]
    assert low < wrong < high


@pytest.mark.slow
def test_a_mask_and_tokens_are_pruned_too():
    model = networks.attention_net()
    inputs, labels = networks.inputs_for(model, 30), np.arange(30) % 3
    result = prune(unravel(model), 3, (inputs, labels))
    assert len(result.deleted) == 3
    assert set(result.model.input) == {"ids", "mask"} or len(result.model.inputs) == 2
    assert result.model(inputs).shape == (30, 3)


def test_a_model_with_a_custom_function_is_pruned():
    share = 3.0
    x = keras.Input((5,), name="x")
    f = layers.Lambda(lambda z: share * ops.tanh(z), name="tanh")(layers.Dense(5, name="f")(x))
    y = layers.Add(name="first")([x, f])
    y = layers.Add(name="second")([y, layers.Dense(5, activation="relu", name="g")(y)])
    model = networks.moved(keras.Model(x, layers.Dense(3, name="out")(y)))
    inputs = networks.inputs_for(model)
    result = rebuilt(unravel(model), [2])
    expected = networks.without(model, {"second": 0})(inputs)
    np.testing.assert_allclose(result(inputs), expected, rtol=1e-5, atol=1e-6)
    assert result.get_layer("tanh") is not model.get_layer("tanh")


def test_a_layer_that_cannot_be_made_again_is_refused_at_once():
    class Times(layers.Layer):
        def __init__(self, share, **kwargs):
            super().__init__(**kwargs)
            self.share = share

        def call(self, y):
            return self.share * y

        def get_config(self):
            return {**super().get_config(), "part": 1}

    x = keras.Input((5,), name="x")
    y = layers.Add(name="sum")([x, Times(2.0, name="times")(layers.Dense(5, name="f")(x))])
    chain = unravel(keras.Model(x, y))
    with pytest.raises(ValueError, match="layer times"):
        prune(chain, 1, (np.zeros((4, 5)), np.zeros(4, int)))


@pytest.mark.parametrize(
    ("n", "error", "named"),
    [
        (0, ValueError, "n=0"),
        (4, ValueError, "n=4"),
        (1.5, TypeError, "n=1.5"),
        (True, TypeError, "n=True"),
    ],
)
def test_a_number_out_of_range_is_refused(case, n, error, named):
    model, validation = case
    with pytest.raises(error, match=named):
        prune(unravel(model), n, validation)


def test_targets_that_do_not_fit_are_refused(case):
    model, (inputs, _) = case
    with pytest.raises(ValueError, match="loss="):
        prune(unravel(model), 1, (inputs, np.zeros((80, 2))))
    broken = inputs.copy()
    broken[7] = np.nan
    with pytest.raises(ValueError, match="example 7 "):
        prune(unravel(model), 1, (broken, np.zeros(80, int)))
    with pytest.raises(ValueError, match="validation as ndarray"):
        prune(unravel(model), 1, inputs)
    with pytest.raises(ValueError, match=r"\(79,\)"):
        prune(unravel(model), 1, (inputs, np.zeros(79)), loss=lambda targets, outputs: 0.0)


def test_other_chains_are_refused(build, images):
    with pytest.raises(ValueError, match="Chain"):
        prune(build(), 1, (images, np.zeros(8, int)))
