"""Lesions of unraveled models: the engine, the table, and targets of every kind."""

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers, ops

from residual_ensembles.lesions import (
    Lesion,
    deletable,
    duplicable,
    evaluate,
    lesion_study,
    outputs_of,
    reference_logits,
    swappable,
)
from residual_ensembles.lesions.engine.grid import Grid
from residual_ensembles.lesions.engine.prepared_network import PreparedNetwork
from residual_ensembles.lesions.outputs import slices_in_memory
from residual_ensembles.pruning import module_importance, prune
from residual_ensembles.unraveling import unravel
from tests.helpers import unraveled_networks as networks
from tests.helpers.traveling import Traveling


@pytest.fixture(scope="module")
def net():
    return networks.residual_net()


@pytest.fixture(scope="module")
def inputs(net):
    return networks.inputs_for(net, 60)


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(2).integers(0, 4, 60)


def outputs_without(model, inputs, skips):
    return np.asarray(networks.without(model, skips)(inputs))


def test_single_deletions_are_models_without_the_module(net, inputs, labels):
    table = lesion_study(unravel(net), inputs, labels)
    expected = [np.asarray(net(inputs))]
    expected += [outputs_without(net, inputs, {name: 0}) for name in ("first", "second", "third")]
    predictions = np.stack([outputs.argmax(1) for outputs in expected])
    assert table["lesion"].tolist() == ["intact", "delete 1", "delete 2", "delete 3"]
    assert table["module"].tolist() == [0, 1, 2, 3]
    assert table["name"].tolist() == ["", "first", "second", "third"]
    assert table.attrs["metric"] == "error_fraction"
    assert table["n_wrong"].tolist() == (predictions != labels).sum(1).tolist()
    changed = (predictions != predictions[0]).mean(1)
    assert table["changed_fraction"].tolist() == pytest.approx(changed.tolist())
    assert min(changed[1:]) > 0
    for same in (np.eye(4)[labels], labels.astype("float32"), labels[:, None], labels.tolist()):
        assert lesion_study(unravel(net), inputs, same).equals(table)
    texts = ["intact", "delete 1", "delete 2", "delete 3"]
    assert lesion_study(unravel(net), inputs, labels, plan=texts).equals(table)
    one = lesion_study(unravel(net), inputs, labels, plan="delete 2")
    assert one[["lesion", "module", "name", "n_wrong"]].values.tolist() == (
        table[["lesion", "module", "name", "n_wrong"]].values[2:3].tolist()
    )


def test_a_plan_of_every_kind():
    model = networks.attention_net(3)
    chain, tokens = unravel(model), networks.inputs_for(model, 50)
    assert deletable(chain) == duplicable(chain) == (1, 2, 3, 4, 5, 6)
    assert len(swappable(chain)) == 15
    plan = [
        Lesion(),
        Lesion(deletions=[1, 4]),
        Lesion(swaps=[(1, 3), (2, 6)], deletions=[5]),
        Lesion(duplications=[2]),
    ]
    packed = np.asarray(chain.packed_inputs(tokens))
    expected = np.stack(list(reference_logits(chain, plan, packed)))
    [(_, outputs)] = outputs_of(chain, plan, packed)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
    result = evaluate(chain, plan, packed)
    np.testing.assert_array_equal(result.predictions, expected.argmax(-1))
    assert result.agreement.largest_relative_difference < 1e-5
    table = lesion_study(chain, tokens, plan=plan)
    assert table["sweep"].tolist() == ["intact", "random_deletion", "mixed", "single_duplication"]
    assert table["module"].tolist() == [0, 0, 0, 2]
    names = [chain.modules[i - 1].title for i in (1, 2, 3, 5, 6)]
    assert table["name"].tolist()[2] == ", ".join(names)
    distances = np.linalg.norm(expected - expected[0], axis=-1).mean(1)
    assert table["output_distance"].tolist() == pytest.approx(distances.tolist(), rel=1e-4)
    assert min(distances[1:]) > 1e-2


def test_swapped_attention_runs_at_another_position():
    model = networks.attention_net(2)
    chain, tokens = unravel(model), networks.inputs_for(model)
    get = model.get_layer
    y, mask = get("tokens")(tokens["ids"]), tokens["mask"][:, None]
    for place, i in ((1, 2), (2, 1)):  # attention of the other block, dense layers of its own
        normal = get(f"norm{i}")(y)
        y = y + get(f"attention{i}")(normal, normal, attention_mask=mask)
        y = y + get(f"narrow{place}")(get(f"wide{place}")(y))
    expected = np.asarray(get("out")(get("pool")(y)))
    packed = np.asarray(chain.packed_inputs(tokens))
    [(_, outputs)] = outputs_of(chain, [Lesion(swaps=[(1, 3)])], packed)
    np.testing.assert_allclose(outputs[0], expected, rtol=1e-4, atol=1e-5)


def test_without_labels_the_table_has_the_distance(net, inputs):
    table = lesion_study(unravel(net), inputs)
    complete = np.asarray(net(inputs))
    for row, name in zip(table.itertuples(), (None, "first", "second", "third"), strict=True):
        outputs = complete if name is None else outputs_without(net, inputs, {name: 0})
        distance = np.linalg.norm(outputs - complete, axis=1).mean()
        assert row.output_distance == pytest.approx(distance, rel=1e-4, abs=1e-6)
        changed = (outputs.argmax(1) != complete.argmax(1)).mean()
        assert row.changed_fraction == pytest.approx(changed)


def test_outputs_are_computed_wherever_an_executor_does(net, inputs):
    chain, elsewhere, steps = unravel(net), Traveling(), []
    table = lesion_study(chain, inputs, executor=elsewhere, memory_bytes=2**20)
    assert elsewhere.nodes.total() > 1
    pd.testing.assert_frame_equal(table, lesion_study(chain, inputs), rtol=1e-4, atol=1e-6)
    lesions = [Lesion(), Lesion(deletions=[1])]
    for _ in outputs_of(chain, lesions, inputs, memory_bytes=2**20, progress=steps.append):
        pass
    assert sum(steps) == pytest.approx(2 * len(inputs))  # in shares


def test_outputs_are_held_against_the_network_itself(net, inputs, labels, monkeypatch):
    chain, targets, run = unravel(net), np.eye(4)[labels], PreparedNetwork.run
    monkeypatch.setattr(PreparedNetwork, "run", lambda self, step, y: 1.1 * run(self, step, y))
    for compute in (
        lambda: lesion_study(chain, inputs),
        lambda: lesion_study(chain, inputs, targets, metric="mean_squared_error"),
        lambda: module_importance(chain, inputs, labels),
        lambda: prune(chain, 1, (inputs, labels)),
    ):
        with pytest.raises(ArithmeticError, match="network itself"):
            compute()


def test_one_output_is_held_against_the_network_itself(inputs, monkeypatch):
    x = keras.Input((8, 8, 3), name="image")
    y = layers.Conv2D(4, 3, padding="same", name="stem")(x)
    y = layers.Add(name="sum")([y, layers.Conv2D(4, 3, padding="same", name="f")(y)])
    y = layers.Dense(1, activation="sigmoid", name="out")(layers.GlobalAveragePooling2D()(y))
    chain = unravel(networks.moved(keras.Model(x, y)))
    table = lesion_study(chain, inputs, np.zeros((60, 1)), metric="binary_accuracy")
    assert len(table) == 2
    run = PreparedNetwork.run
    monkeypatch.setattr(PreparedNetwork, "run", lambda self, step, y: -run(self, step, y))
    with pytest.raises(ArithmeticError, match="network itself"):
        lesion_study(chain, inputs, np.zeros((60, 1)), metric="binary_accuracy")


def test_outputs_that_exist_at_a_time_are_bounded():
    grid = Grid(25, 10, (8,))
    assert list(slices_in_memory(grid, 100, 10)) == [[slice(0, 10), slice(10, 20), slice(20, 25)]]
    assert list(slices_in_memory(grid, 20, 10)) == [[slice(0, 10), slice(10, 20)], [slice(20, 25)]]
    result = [[(p.start, p.stop) for p in parts] for parts in slices_in_memory(grid, 6, 10)]
    assert result == [[(0, 6)], [(6, 10)], [(10, 16)], [(16, 20)], [(20, 25)]]
    assert [len(parts) for parts in slices_in_memory(grid, 20, 4)] == [6, 2]


def test_outputs_of_no_lesions_or_of_other_inputs_are_refused(net, inputs):
    chain = unravel(net)
    with pytest.raises(ValueError, match="no lesions"):
        next(outputs_of(chain, [], inputs))
    with pytest.raises(ValueError, match="inputs of shape"):
        next(outputs_of(chain, [Lesion()], inputs[..., :1]))


@pytest.mark.parametrize("metric", ["mean_absolute_error", keras.metrics.MeanAbsoluteError()])
def test_any_metric_of_a_map(metric):
    model = networks.u_net()
    inputs = networks.inputs_for(model, 30)
    targets = np.random.default_rng(0).normal(size=(30, 8, 8, 3))
    chain = unravel(model)
    table = lesion_study(chain, inputs, targets, metric=metric, memory_bytes=2**21)
    name = "mean_absolute_error"
    assert "changed_fraction" not in table
    for row, skip in zip(table.itertuples(), (None, "block1", "block2"), strict=False):
        made = model if skip is None else networks.without(model, {skip: 0})
        expected = np.abs(np.asarray(made(inputs)) - targets).mean()
        assert getattr(row, name) == pytest.approx(expected, rel=1e-4)
    assert table[name].nunique() == 5


@pytest.mark.parametrize(
    ("targets", "options", "named"),
    [
        (np.zeros(59, int), {}, r"\(59,\)"),
        (np.full(60, 0.5), {}, "0.5 .* example 0"),
        (np.full(60, np.nan), {}, "nan .* example 0"),
        (np.array(["cat"] * 60), {}, "<U3"),
        (np.zeros((60, 4)), {}, "row 0"),
        (np.full((60, 4), 0.1), {}, "row 0"),
        (np.full((60, 4), np.nan), {}, "row 0"),
        (np.full(60, 99), {"ci_half_width": 0.1}, "labels from 99"),
        (np.full((60, 4), np.nan), {"metric": "mean_squared_error"}, "targets .*example 0"),
        (np.zeros((60, 1)), {"metric": "mean_squared_error"}, "mean_squared_error"),
        (np.zeros(60), {"metric": "mean_absolute_error"}, "mean_absolute_error"),
        (None, {"ci_half_width": 0.1}, "ci_half_width=0.1"),
        (None, {"metric": "mean_squared_error"}, "no targets"),
        (np.zeros(60, int), {"metric": "mse", "ci_half_width": 0.1}, "ci_half_width=0.1"),
        (np.zeros(60, int), {"metric": "no such metric"}, "no such metric"),
        (np.zeros(60, int), {"plan": []}, "plan"),
        (np.zeros(60, int), {"n_jobs": 0}, "n_jobs=0"),
        (np.zeros(60, int), {"verbose": "loud"}, "verbose='loud'"),
        (np.full(60, 4), {}, "labels from 4"),
        (np.full(60, -1), {}, "labels from -1"),
        (np.zeros((59, 4)), {"metric": "mean_squared_error"}, "59 targets"),
        (np.zeros((60, 3)), {"metric": "mean_squared_error"}, "mean_squared_error"),
        (np.eye(4)[[0] * 60], {"metric": keras.metrics.F1Score()}, "f1_score"),
        (np.zeros((60, 4)), {"metric": keras.losses.MeanSquaredError()}, "mean_squared_error"),
    ],
)
def test_targets_that_do_not_fit_are_refused(net, inputs, targets, options, named):
    with pytest.raises(ValueError, match=named):
        lesion_study(unravel(net), inputs, targets, **options)


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        (np.zeros((4, 8, 8, 1)), r"\(4, 8, 8, 1\)"),
        (np.zeros((8, 8, 3)), r"\(8, 8, 3\)"),
        (np.zeros((0, 8, 8, 3)), r"\(0, 8, 8, 3\)"),
        (None, r"\(\)"),
        ({"photo": np.zeros((4, 8, 8, 3))}, "photo"),
        ([np.zeros((4, 8, 8, 3))] * 2, "2 inputs"),
        ([[0.0], [0.0, 1.0]], "inputs of which not all rows"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(net, inputs, named):
    with pytest.raises(ValueError, match=named):
        lesion_study(unravel(net), inputs)


def test_outputs_of_several_kinds():
    class Distance(keras.metrics.Mean):
        def update_state(self, targets, outputs, sample_weight=None):
            difference = outputs["place"] - ops.cast(targets["place"], "float32")
            super().update_state(ops.sum(ops.abs(difference), axis=1))

    x = keras.Input((6,), name="x")
    y = layers.Dense(5, name="stem")(x)
    y = layers.Add(name="sum")([y, layers.Dense(5, activation="tanh", name="f")(y)])
    outputs = {"kind": layers.Dense(3, name="kind")(y), "place": layers.Dense(2, name="place")(y)}
    model = networks.moved(keras.Model(x, outputs))
    inputs, targets = networks.inputs_for(model, 30), {"place": np.ones((30, 2))}
    table = lesion_study(unravel(model), inputs, targets, metric=Distance(name="distance"))
    stem = model.get_layer("stem")(inputs)
    for result, y in zip(table["distance"], (stem + model.get_layer("f")(stem), stem), strict=True):
        expected = np.abs(np.asarray(model.get_layer("place")(y)) - 1).sum(1).mean()
        assert result == pytest.approx(expected, rel=1e-5)
    assert table["distance"].nunique() == 2


def test_integers_are_not_rounded():
    model = networks.attention_net()
    chain = unravel(model)
    with pytest.raises(ValueError, match="precision='bfloat16'"):
        lesion_study(chain, networks.inputs_for(model), np.zeros(20, int), precision="bfloat16")


def test_swaps_across_layouts_are_refused():
    chain = unravel(networks.u_net())
    assert swappable(chain) == ((2, 3),)
    with pytest.raises(ValueError, match=r"position 1 .* position 2"):
        lesion_study(chain, np.zeros((2, 8, 8, 2)), plan=[Lesion(swaps=[(1, 2)])])


def test_a_half_width_takes_fewer_inputs(net):
    inputs = networks.inputs_for(net, 900, seed=3)
    labels = np.asarray(net(inputs)).argmax(1)
    labels[::9] = (labels[::9] + 1) % 4  # the intact network is wrong on a ninth
    chain = unravel(net)
    complete = lesion_study(chain, inputs, labels)
    result = lesion_study(chain, inputs, labels, ci_half_width=0.06)
    assert result["n_examples"].iloc[0] == 900
    assert result["n_examples"].iloc[1:].min() < 900
    one_hot = lesion_study(chain, inputs, np.eye(4)[labels], ci_half_width=0.06)
    pd.testing.assert_frame_equal(one_hot, result)
    low, high = result["error_on_examples_low"], result["error_on_examples_high"]
    assert ((low <= complete["error_fraction"]) & (complete["error_fraction"] <= high)).all()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a data set of TensorFlow")
def test_a_data_set_is_read(net, inputs, labels):
    import tensorflow as tf

    chain, expected = unravel(net), lesion_study(unravel(net), inputs, labels)
    pairs = tf.data.Dataset.from_tensor_slices((inputs, labels))
    for data in (pairs, pairs.batch(7), pairs.batch(7).prefetch(1)):
        assert lesion_study(chain, data).equals(expected)
    alone = tf.data.Dataset.from_tensor_slices(inputs).batch(8)
    assert lesion_study(chain, alone, labels).equals(expected)
    with pytest.raises(ValueError, match="without end"):
        lesion_study(chain, pairs.batch(7).repeat())
    with pytest.raises(ValueError, match="empty"):
        lesion_study(chain, pairs.take(0))
    weighted = tf.data.Dataset.from_tensor_slices((inputs, labels, np.ones(len(labels))))
    with pytest.raises(ValueError, match="a data set of 3 parts, expected inputs and targets, in"):
        lesion_study(chain, weighted.batch(7))

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 6

        def __getitem__(self, i):
            return inputs[10 * i : 10 * i + 10], labels[10 * i : 10 * i + 10]

    assert lesion_study(chain, Batches()).equals(expected)

    class Counted(Batches):
        num_batches = 6

        def __len__(self):
            raise NotImplementedError

    assert lesion_study(chain, Counted()).equals(expected)
    endless = Counted()
    endless.num_batches = None
    with pytest.raises(ValueError, match="without end"):
        lesion_study(chain, endless)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_inputs_that_are_no_numbers_are_refused(net, value):
    inputs = networks.inputs_for(net, 400)
    inputs[333, 2, 2, 1] = value
    with pytest.raises(ValueError, match="example 333"):
        lesion_study(unravel(net), inputs, np.zeros(400, int))


@pytest.mark.parametrize("options", [{}, {"metric": "mean_squared_error"}])
def test_outputs_that_are_no_numbers_are_refused_by_name(options):
    """Only one of 400 examples, and only after one lesion."""
    x = keras.Input((4,), name="x")
    y = layers.Dense(4, name="stem", kernel_initializer="identity")(x)
    f = layers.Lambda(lambda y: ops.minimum(0.0, 1.0 - y), name="f")(y)  # keeps y from growing
    y = layers.Add(name="calm")([y, f])
    y = layers.Add(name="other")([y, layers.Dense(4, activation="tanh", name="g")(y)])
    y = layers.Lambda(lambda y: ops.exp(y), name="exp")(y)
    model = keras.Model(x, layers.Dense(4, name="out", kernel_initializer="identity")(y))
    inputs = np.random.default_rng(0).uniform(0, 1, (400, 4)).astype("float32")
    inputs[333] = 200.0  # exp(200) is no float32
    chain, targets = unravel(model), np.zeros((400, 4), "float32")
    targets = targets if options else np.zeros(400, int)
    assert np.isfinite(np.asarray(model(inputs))).all()
    with pytest.raises(ArithmeticError, match=r"example 333 .*'delete 1'"):
        lesion_study(chain, inputs, targets, **options)
