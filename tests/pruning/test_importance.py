"""Estimates of the importance of a module, against the definition and against the true cost."""

import os

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers, ops

from residual_ensembles.paths.loss import MeanLoss
from residual_ensembles.pruning import module_importance, rank_correlations
from residual_ensembles.pruning.importance import block_influence, first_order
from residual_ensembles.unraveling import unravel
from tests.helpers import unraveled_networks as networks
from tests.helpers.traveling import Traveling

NEEDS_ONEDNN = pytest.mark.skipif(
    keras.backend.backend() == "tensorflow" and os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0",
    reason="without oneDNN, TensorFlow's convolutions on a CPU take channels last only",
)


@pytest.fixture(scope="module")
def net():
    return networks.residual_net()


@pytest.fixture(scope="module")
def inputs(net):
    return networks.inputs_for(net, 40)


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(2).integers(0, 4, 40)


def cosines(before, after):
    product = (before * after).sum(-1)
    return product / np.linalg.norm(before, axis=-1) / np.linalg.norm(after, axis=-1)


def test_block_influence_is_one_minus_the_cosine(net, inputs):
    get = net.get_layer
    stem = np.asarray(get("stem")(inputs))
    first = stem + 0.5 * np.asarray(get("first_conv")(stem))
    skip = np.asarray(get("second_skip")(first))
    second = skip + np.asarray(get("second_norm")(get("second_conv")(first)))
    between = np.asarray(get("between")(second))
    third = np.maximum(between + np.asarray(get("third_conv")(between)), 0)
    pairs = [(stem, first), (skip, second), (between, third)]
    with np.errstate(invalid="ignore"):
        expected = [1 - np.nan_to_num(cosines(*pair)).mean() for pair in pairs]
    result = block_influence(unravel(net), inputs, batch_size=16)  # 40 = 16 + 16 + 8
    assert result == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("softmax", [pytest.param(False, marks=pytest.mark.slow), True])
def test_first_order_is_the_derivative_at_the_full_network(inputs, labels, softmax):
    chain = unravel(networks.residual_net(softmax))
    loss = MeanLoss(chain)

    def loss_at(module, share):
        gates = np.ones(3, "float32")
        gates[module] = share
        return float(loss(ops.convert_to_tensor(labels), chain(inputs, gates=gates)))

    step = 0.004  # not far, for a ReLU has kinks
    expected = [(loss_at(i, 1 - step) - loss_at(i, 1 + step)) / (2 * step) for i in range(3)]
    result = first_order(chain, inputs, labels, loss, batch_size=16)
    assert result == pytest.approx(expected, rel=2e-2, abs=1e-3)
    assert np.abs(result).min() > 5e-3


@pytest.mark.slow
def test_a_plain_layer_counts_what_it_does_beyond_the_identity():
    model = networks.sequential_net()
    chain = unravel(model, modules=["conv2", "conv5"])
    inputs = networks.inputs_for(model, 30)
    targets = np.zeros(30, int)
    get = model.get_layer

    def loss_at(share):
        y = get("conv1")(inputs)
        y = share * get("conv2")(y) + (1 - share) * y
        for name in ("pool", "conv3", "conv4", "conv5", "flat", "out"):
            y = get(name)(y)
        return float(MeanLoss(chain)(ops.convert_to_tensor(targets), y))

    result = first_order(chain, inputs, targets, MeanLoss(chain))
    assert result[0] == pytest.approx((loss_at(0.98) - loss_at(1.02)) / 0.04, rel=5e-2)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="float64 of one layer alone")
def test_a_network_in_float64_is_estimated_as_in_float32(labels):
    """The loss keeps the precision of the outputs, in which its derivative comes back."""
    tables = []
    for dtype in ("float32", "float64"):
        x = keras.Input((6,), dtype=dtype)
        y = layers.Dense(5, dtype=dtype)(x)
        for name in ("first", "second"):
            f = layers.Dense(5, "relu", dtype=dtype)(y)
            y = layers.Add(name=name, dtype=dtype)([y, f])
        chain = unravel(networks.moved(keras.Model(x, layers.Dense(4, dtype=dtype)(y))))
        inputs = np.random.default_rng(0).normal(size=(40, 6)).astype(dtype)
        tables.append(module_importance(chain, inputs, labels))
    pd.testing.assert_frame_equal(*tables, rtol=1e-3)


def test_true_costs_stand_beside_the_estimates(net, inputs, labels):
    chain = unravel(net)
    table = module_importance(chain, inputs, labels)
    assert table["name"].tolist() == ["first", "second", "third"]
    elsewhere = Traveling()
    pd.testing.assert_frame_equal(
        module_importance(chain, inputs, labels, executor=elsewhere), table
    )
    assert elsewhere.nodes.total() == 2  # what is held against the network, and outputs
    loss = MeanLoss(chain)
    full = np.asarray(net(inputs))
    for row in table.itertuples():
        outputs = np.asarray(networks.without(net, {row.name: 0})(inputs))
        wrong = (outputs.argmax(1) != labels).mean() - (full.argmax(1) != labels).mean()
        rise = float(loss(labels, ops.convert_to_tensor(outputs))) - float(loss(labels, full))
        assert row.error_increase == pytest.approx(wrong)
        assert row.loss_increase == pytest.approx(rise, rel=1e-4, abs=1e-5)
    result = rank_correlations(table)
    assert result["n"].tolist() == [3, 3, 3, 3]
    assert result["estimate"].tolist() == ["block_influence"] * 2 + ["first_order"] * 2


@pytest.mark.slow
def test_another_loss_needs_no_classes():
    model = networks.u_net()
    inputs, targets = networks.inputs_for(model, 10), np.ones((10, 8, 8, 3))
    table = module_importance(
        unravel(model), inputs, targets, loss=lambda t, o: ops.mean((o - t) ** 2)
    )
    assert "error_increase" not in table
    assert table["module"].tolist() == [1, 2, 3, 4]
    assert (table["loss_increase"] != 0).all()


def test_rank_correlations_are_those_of_ranks():
    table = pd.DataFrame(
        {
            "block_influence": [0.1, 0.2, 0.3, 0.4],
            "first_order": [1.0, 1.0, 1.0, 1.0],
            "loss_increase": [1.0, 10.0, 100.0, 99.0],
            "error_increase": [4.0, 3.0, 2.0, 1.0],
        }
    )
    result = rank_correlations(table).set_index(["estimate", "cost"])
    row = result.loc[("block_influence", "loss_increase")]
    assert (row["spearman"], row["kendall"]) == pytest.approx((0.8, 4 / 6))
    row = result.loc[("block_influence", "error_increase")]
    assert (row["spearman"], row["kendall"]) == pytest.approx((-1, -1))
    assert np.isnan(result.loc[("first_order", "loss_increase"), "spearman"])


@pytest.mark.slow
def test_our_own_networks_have_module_importance_too(build, images):
    chain = build("highway", depth=14)
    table = module_importance(chain, images, np.arange(8) % 10)
    assert len(table) == len(chain.modules)
    # The gates are sigmoid(−2) of untrained modules: little turns, but where the width changes.
    assert (table["block_influence"] < 0.5).all()


@NEEDS_ONEDNN
@pytest.mark.parametrize(
    "norm", [None, layers.BatchNormalization, layers.LayerNormalization, layers.UnitNormalization]
)
def test_block_influence_where_channels_come_first(norm):
    """The same network written both ways: one answer."""
    result = []
    for data_format in ("channels_first", "channels_last"):
        first = data_format == "channels_first"
        keras.utils.set_random_seed(3)
        x = keras.Input((4, 6, 5) if first else (6, 5, 4))
        how = {"padding": "same", "data_format": data_format}
        y = layers.Conv2D(4, 3, **how)(x)
        for _ in range(2):
            f = layers.Conv2D(4, 3, activation="relu", **how)(y)
            if norm is not None:  # it ends in a layer that has no data format but an axis
                f = norm(axis=1 if first else -1)(f)
            y = layers.Add()([y, f])
        y = layers.GlobalAveragePooling2D(data_format=data_format)(y)
        chain = unravel(keras.Model(x, layers.Dense(3)(y)))
        inputs = np.random.default_rng(0).normal(size=(8, 6, 5, 4)).astype("float32")
        assert [m.channel_axis for m in chain.modules] == ([1, 1] if first else [-1, -1])
        result.append(block_influence(chain, inputs.transpose(0, 3, 1, 2) if first else inputs))
    assert result[0] == pytest.approx(result[1], abs=1e-5)
    assert result[0].min() > 0.01


def gated(y, how, first):
    """Squeeze and excitation (Hu et al. 2018): dense layers see channels alone."""
    f = layers.Conv2D(4, 3, padding="same", **how)(y)
    gate = layers.Dense(4, activation="sigmoid")(layers.GlobalAveragePooling2D(**how)(f))
    return layers.Multiply()([f, layers.Reshape((4, 1, 1) if first else (1, 1, 4))(gate)])


def convnext(y, how, first):
    """ConvNeXt (Liu et al. 2022): dense layers between two permutations."""
    f = layers.DepthwiseConv2D(3, padding="same", **how)(y)
    f = layers.Permute((2, 3, 1))(f) if first else f
    f = layers.Dense(4)(layers.Dense(8, activation="gelu")(layers.LayerNormalization()(f)))
    return layers.Permute((3, 1, 2))(f) if first else f


@NEEDS_ONEDNN
@pytest.mark.parametrize("branch", [gated, convnext])
def test_block_influence_where_a_branch_has_its_channels_elsewhere(branch):
    result = []
    for first in (True, False):
        keras.utils.set_random_seed(3)
        how = {"data_format": "channels_first" if first else "channels_last"}
        x = keras.Input((2, 6, 5) if first else (6, 5, 2))
        y = layers.Conv2D(4, 3, padding="same", **how)(x)
        for _ in range(2):
            y = layers.Add()([y, branch(y, how, first)])
        chain = unravel(keras.Model(x, layers.GlobalAveragePooling2D(**how)(y)))
        inputs = np.random.default_rng(0).normal(size=(6, 6, 5, 2)).astype("float32")
        result.append(block_influence(chain, inputs.transpose(0, 3, 1, 2) if first else inputs))
    assert result[0] == pytest.approx(result[1], abs=1e-5)
    assert result[0].min() > 0.01


@pytest.mark.parametrize(
    ("rank", "convolution"),
    [
        (1, layers.Conv1D),
        pytest.param(3, layers.Conv3D, marks=NEEDS_ONEDNN),
    ],
)
def test_block_influence_of_sequences_and_volumes_whose_channels_come_first(rank, convolution):
    result, inputs = [], np.random.default_rng(0).normal(size=(6, *(4, 5, 6)[:rank], 2))
    for first in (True, False):
        keras.utils.set_random_seed(3)
        how = {"padding": "same", "data_format": "channels_first" if first else "channels_last"}
        own = np.moveaxis(inputs, -1, 1).astype("float32") if first else inputs.astype("float32")
        x = keras.Input(own.shape[1:])
        y = convolution(4, 2, **how)(x)
        y = layers.Add()([y, convolution(4, 3, activation="relu", **how)(y)])
        result.append(block_influence(unravel(keras.Model(x, layers.Flatten()(y))), own))
    assert result[0] == pytest.approx(result[1], abs=1e-5)
    assert result[0].min() > 0.01


def test_a_branch_that_mixes_tokens_leaves_channels_where_they_are():
    x = keras.Input((6, 4))
    f = layers.Permute((2, 1))(layers.LayerNormalization()(x))
    f = layers.Permute((2, 1))(layers.Dense(6, activation="gelu")(f))
    [module] = unravel(keras.Model(x, layers.Flatten()(layers.Add()([x, f])))).modules
    assert module.channel_axis == -1


@NEEDS_ONEDNN
def test_attention_over_the_places_of_a_map_leaves_channels_first():
    x = keras.Input((3, 4, 4))
    y = layers.Conv2D(4, 3, padding="same", data_format="channels_first")(x)
    f = layers.Permute((2, 1))(layers.Reshape((4, 16))(y))
    f = layers.Permute((2, 1))(layers.MultiHeadAttention(2, 2)(f, f))
    y = layers.Add()([y, layers.Reshape((4, 4, 4))(f)])
    [module] = unravel(keras.Model(x, layers.Flatten()(y))).modules
    assert module.channel_axis == 1


@NEEDS_ONEDNN
def test_tokens_of_images_whose_channels_come_first_have_theirs_last():
    x = keras.Input((3, 8, 8))
    y = layers.Conv2D(6, 4, 4, data_format="channels_first")(x)
    y = layers.Permute((2, 1))(layers.Reshape((6, 4))(y))
    y = layers.Add()([y, layers.Dense(6, activation="gelu")(layers.LayerNormalization()(y))])
    [module] = unravel(keras.Model(x, layers.Flatten()(y))).modules
    assert module.channel_axis == -1
