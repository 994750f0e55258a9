"""Gradients by path in one call: the linearization's, from all that a model takes."""

import keras
import numpy as np
import pytest
from keras import layers

from residual_ensembles import gradient_by_length, paths, sampled_path_gradients, unravel
from tests.helpers import unraveled_networks as networks


@pytest.fixture(scope="module")
def net():
    return networks.residual_net()


@pytest.fixture(scope="module")
def inputs(net):
    return networks.inputs_for(net, 6)


LABELS = np.arange(6) % 4


def test_all_lengths_add_up_to_the_gradient(net, inputs):
    chain = unravel(net)
    table = gradient_by_length(chain, inputs, LABELS)
    linearized = paths.Linearization(chain).linearize(inputs, LABELS)
    expected = paths.batch_gradient_by_length(linearized)
    assert table["length"].tolist() == [0, 1, 2, 3]
    assert table["n_paths"].tolist() == [1, 3, 3, 1]
    assert table["log10_norm"].tolist() == expected.log10_norms.tolist()
    assert table["share"].tolist() == expected.shares.tolist()
    assert table["share"].sum() == pytest.approx(1, abs=1e-5)
    logits = np.asarray(net(inputs))
    loss = np.log(np.exp(logits).sum(1)).mean() - logits[np.arange(6), LABELS].mean()
    assert table.attrs["loss"] == "cross_entropy"
    assert table.attrs["loss_value"] == pytest.approx(loss, rel=1e-5)
    assert table.attrs["n_examples"] == 6
    assert table.attrs["relative_error"] < 1e-5
    short = gradient_by_length(chain, inputs, LABELS, max_length=1)
    assert short["share"].tolist() == pytest.approx(table["share"].tolist()[:2], rel=1e-4)
    for same in (np.eye(4)[LABELS], LABELS.astype("float32"), LABELS[:, None]):
        assert gradient_by_length(chain, inputs, same).equals(table)


def test_sampled_paths_of_a_length_are_part_of_it(net, inputs):
    chain = unravel(net)
    table = sampled_path_gradients(chain, inputs, LABELS, [0, 1, 3], 5, seed=2)
    assert table["length"].tolist() == [0] * 5 + [1] * 5 + [3] * 5
    assert table["sample"].tolist() == 3 * [0, 1, 2, 3, 4]
    assert [len(modules) for modules in table["modules"]] == table["length"].tolist()
    assert set(table["modules"][5:10]) <= {(1,), (2,), (3,)}
    exact = gradient_by_length(chain, inputs, LABELS).set_index("length")
    for length in (0, 3):  # of which there is one path
        rows = table[table["length"] == length]
        assert rows["share"].tolist() == pytest.approx([exact.loc[length, "share"]] * 5, rel=1e-4)
        norms = rows["log10_norm"].tolist()
        assert norms == pytest.approx([exact.loc[length, "log10_norm"]] * 5, abs=1e-4)
    again = sampled_path_gradients(chain, inputs, LABELS, [1], 5, seed=2)
    assert again["modules"].tolist() == table["modules"].tolist()[5:10]
    three = sampled_path_gradients(chain, inputs, LABELS, [1], 30).drop_duplicates("modules")
    assert three["share"].sum() == pytest.approx(exact.loc[1, "share"], rel=1e-4)


def test_the_default_loss_fits_outputs_and_targets():
    x = keras.Input((6,), name="x")
    y = layers.Dense(5, name="stem")(x)
    y = layers.Add(name="sum")([y, layers.Dense(5, activation="tanh", name="f")(y)])
    model = networks.moved(keras.Model(x, layers.Dense(1, name="out")(y)))
    numbers = np.random.default_rng(0).normal(size=(8, 1)).astype("float32")
    x = networks.inputs_for(model, 8)
    table = gradient_by_length(unravel(model), x, numbers)
    assert table.attrs["loss"] == "mean_squared_error"
    error = ((np.asarray(model(x)) - numbers) ** 2).mean()
    assert table.attrs["loss_value"] == pytest.approx(error, rel=1e-5)
    said = gradient_by_length(unravel(model), x, numbers, loss=keras.losses.MeanSquaredError())
    assert said["share"].tolist() == table["share"].tolist()


def test_inputs_in_a_dictionary_are_packed():
    chain = unravel(networks.attention_net(2))
    tokens = networks.inputs_for(chain.network, 4)
    table = gradient_by_length(chain, tokens, np.arange(4) % 3)
    assert table["share"].sum() == pytest.approx(1, abs=1e-5)
    with pytest.raises(ValueError, match=r"target='image' for two, whose inputs are integers"):
        gradient_by_length(chain, tokens, np.arange(4) % 3, target="image")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"lengths": [4]}, "length=4"),
        ({"samples": 0}, "samples=0"),
        ({"lengths": []}, "0 lengths"),
        ({"target": "y1"}, "target='y1'"),
        ({"batch_norm": "moving"}, "batch_norm='moving'"),
        ({"loss": "none such"}, "loss='none such'"),
        ({"y": np.full(6, 9)}, "labels from 9"),
    ],
)
def test_bad_arguments_are_refused(net, inputs, options, named):
    arguments = {"y": LABELS, "lengths": [1], "samples": 2} | options
    with pytest.raises(ValueError, match=named):
        sampled_path_gradients(unravel(net), inputs, **arguments)
