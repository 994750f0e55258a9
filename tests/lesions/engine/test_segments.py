"""Chains with plain parts between modules: what a lesion changes, and what always runs."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from residual_ensembles import models
from residual_ensembles.lesions import Lesion, evaluate, evaluate_reference
from residual_ensembles.lesions.lesion import Step
from residual_ensembles.models.chain import segment_of
from residual_ensembles.models.stem_head import LayerSequence

PLAN = [
    Lesion(),
    Lesion(deletions=[1]),
    Lesion(deletions=[2, 4]),
    Lesion(swaps=[(1, 2)]),
    Lesion(swaps=[(1, 2)], deletions=[1], duplications=[2]),
    Lesion(duplications=[3]),
]


def dense(units, name, **options):
    return layers.Dense(
        units,
        kernel_initializer=keras.initializers.GlorotUniform(seed=len(name) + units),
        bias_initializer=keras.initializers.RandomNormal(seed=len(name)),
        name=name,
        **options,
    )


@pytest.fixture(scope="module")
def chain():
    """Modules 1 and 2 of width 6, 3 and 4 of width 5; segments follow 1 and 2, and not 3."""
    modules = [
        models.Module(dense(6, "f1_", activation="tanh"), name="m1"),
        models.Module(dense(6, "f2", activation="tanh"), activation=layers.ReLU(), name="m2"),
        models.Module(dense(5, "f3_", activation="tanh"), name="m3"),
        models.Module(dense(5, "f4", activation="tanh"), name="m4"),
    ]
    segments = [dense(6, "between1", activation="sigmoid"), dense(5, "between2"), None]
    return models.Chain(dense(6, "stem"), modules, dense(3, "head"), (4,), segments)


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(0).normal(size=(50, 4)).astype("float32")


def by_hand(chain, x, order, deleted=(), twice=()):
    """Walks through the layers one by one; `order` says which module stands where."""
    y = chain.stem(x)
    for position, number in enumerate(order, start=1):
        module = chain.modules[number - 1]
        for _ in range(2 if number in twice else 1):
            z = y if number in deleted else y + module.transform(y)
            y = ops.relu(z) if number == 2 else z
        if position <= 2:
            y = chain.segments[position - 1](y)
    return ops.convert_to_numpy(chain.head(y))


def expected(chain, inputs):
    ways = [
        ((1, 2, 3, 4), (), ()),
        ((1, 2, 3, 4), (1,), ()),
        ((1, 2, 3, 4), (2, 4), ()),
        ((2, 1, 3, 4), (), ()),
        ((2, 1, 3, 4), (1,), (2,)),
        ((1, 2, 3, 4), (), (3,)),
    ]
    return np.stack([by_hand(chain, inputs, *way) for way in ways])


def test_a_segment_stays_at_its_position(chain, inputs):
    logits = expected(chain, inputs)
    np.testing.assert_allclose(chain(inputs), logits[0], rtol=1e-5, atol=1e-6)
    predictions = evaluate_reference(chain, PLAN, inputs)
    np.testing.assert_array_equal(predictions, logits.argmax(-1))
    np.testing.assert_array_equal(evaluate(chain, PLAN, inputs).predictions, predictions)
    assert len({tuple(row) for row in predictions}) == len(PLAN)  # each of them matters


def test_gates_leave_segments_alone(chain, inputs):
    gates = np.array([1, 0, 1, 0], "float32")
    logits = by_hand(chain, inputs, (1, 2, 3, 4), deleted=(2, 4))
    np.testing.assert_allclose(chain(inputs, gates=gates), logits, rtol=1e-5, atol=1e-6)


def test_steps_come_in_order():
    steps = Lesion(swaps=[(1, 2)], duplications=[2]).steps(3, segment_positions=(1,))
    assert steps == [
        Step(2, "run"),
        Step(2, "run"),
        Step(1, "segment"),
        Step(1, "run"),
        Step(3, "run"),
    ]
    assert Step(1, "run") < Step(1, "segment") < Step(2, "deleted")


def test_segments_are_saved(chain, inputs, tmp_path):
    models.save(chain, tmp_path / "chain.keras")
    loaded = models.load(tmp_path / "chain.keras")
    assert loaded.segment_positions == chain.segment_positions == (1, 2)
    assert len(loaded.weights) == len(chain.weights)
    np.testing.assert_array_equal(loaded(inputs), chain(inputs))


def test_without_segments_nothing_of_them_is_saved():
    plain = models.Chain(
        LayerSequence([dense(6, "s")]), [models.Module(dense(6, "f"))], dense(3, "h"), (4,)
    )
    assert "segments" not in plain.get_config()
    assert segment_of(plain, 1) is None


def test_there_is_one_segment_less_than_modules(chain):
    with pytest.raises(ValueError, match="1 segments for 4 modules"):
        models.Chain(chain.stem, chain.modules, chain.head, (4,), [None])
