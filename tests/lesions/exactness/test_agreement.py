"""Plans of more than five hundred lesions of the paper's networks, against the reference."""

import json

import numpy as np
import pytest
from keras import ops

from residual_ensembles import models
from residual_ensembles.lesions import evaluate, reference_logits, study_plan
from residual_ensembles.lesions.engine.evaluator import SweepSpec
from residual_ensembles.lesions.engine.reference import CompiledParts, function_of
from residual_ensembles.lesions.exactness import cascade
from residual_ensembles.lesions.exactness.agreement import (
    MAX_DIFFERENCE,
    NOISE_FACTOR,
    agreement,
    differences,
    perturbed_logits,
)
from residual_ensembles.lesions.exactness.ties import ROUNDING

SHAPE, CLASSES, N = (32, 32, 3), 10, 24
NUMBERS = {"k": 6, "draws": 22, "swaps": 6, "duplications": 5, "seed": 0}


def made(model, depth, **options):
    """A random network whose last layer is fitted, and images that it tells apart."""
    random = np.random.default_rng(0)
    patterns = random.uniform(40, 215, (CLASSES, 4, 4, 3)).repeat(8, 1).repeat(8, 2)
    labels = random.integers(0, CLASSES, 128)
    images = patterns[labels] + random.normal(0, 40, (128, *SHAPE))
    images = np.clip(images, 0, 255).astype(np.uint8)
    chain = models.build(model, depth, SHAPE, CLASSES, [125.0] * 3, [60.0] * 3, **options)
    models.reestimate_batch_norm(chain, images)
    y = chain.stem(ops.convert_to_tensor(images))
    for layer in (*chain.modules, *chain.head.layers[:-1]):
        y = layer(y)
    features = np.c_[ops.convert_to_numpy(y), np.ones(len(images))]
    ridge = 0.01 * np.eye(features.shape[1])
    targets = 10.0 * np.eye(CLASSES)[labels]
    solution = np.linalg.solve(features.T @ features + ridge, features.T @ targets)
    chain.head.layers[-1].set_weights([solution[:-1], solution[-1]])
    return chain, images[:N]


def in_float64(chain):
    """The same network in float64, in which rounding can be told from mistakes."""
    config = json.dumps(chain.get_config()).replace('"float32"', '"float64"')
    wide = type(chain).from_config(json.loads(config))
    wide.set_weights([w.astype(np.float64) for w in chain.get_weights()])
    return wide


def truth(chain, lesions, images):
    """Logits in float64, from the definition."""
    wide, result = in_float64(chain), []
    for lesion in lesions:
        y = wide.stem(ops.convert_to_tensor(images))
        for step in lesion.steps(len(wide.modules), wide.segment_positions):
            y = function_of(wide, step)(y, training=False)
        result.append(ops.convert_to_numpy(wide.head(y)))
    assert result[0].dtype == np.float64
    return np.stack(result)


def is_as_exact_as_the_reference(logits, reference, exact):
    ours, theirs = (differences(each, exact) for each in (logits, reference))
    print("off float64:", np.median(ours), ours.max(), "the reference:", theirs.max())
    return np.median(ours) < 1.5 * np.median(theirs) and ours.max() < 2 * theirs.max()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "depth", "options"),
    [("resnet", 110, {}), ("vgg", 15, {}), ("highway", 110, {"gate_bias": -3.0})],
)
def test_predictions_are_exact(model, depth, options, monkeypatch):
    chain, images = made(model, depth, **options)
    plan = [row.lesion for row in study_plan(chain, random=True, **NUMBERS)]
    assert len(plan) >= 500
    monkeypatch.setattr(cascade, "SAMPLE", N // 3)  # the others it has not seen
    cascaded = evaluate(chain, plan, images, precision="cascade")
    reference = np.stack(list(reference_logits(chain, plan, images, batch_size=N)))
    logits = SweepSpec(chain, plan, N).evaluator.logits(images)
    result = agreement(logits, reference)
    print(model, result, "of", cascaded.rounding)
    assert result.n_unexplained == 0
    assert result.n_close < 0.002 * result.n
    assert result.largest_relative_difference < cascaded.rounding < MAX_DIFFERENCE / 10
    if model != "vgg":  # in which the reference itself is that far off float64
        assert result.largest_relative_difference < ROUNDING
    some = slice(None, None, 20)
    exact = truth(chain, plan[some], images)
    assert is_as_exact_as_the_reference(logits[some], reference[some], exact)
    assert (reference.argmax(-1) != reference.argmax(-1)[0]).mean() > 0.1  # lesions matter
    wrong = (cascaded.predictions != reference.argmax(-1)).sum()
    n, n_changed, _ = cascaded.bfloat16
    print(n_changed, "of", n, "changed by bfloat16;", wrong, "left")
    assert n == len(plan) * (N // 3)
    assert wrong <= result.n_different


@pytest.mark.slow
def test_a_network_that_enlarges_rounding_has_a_larger_bound():
    chain, images = made("highway", 110, gate_bias=-1.0)
    plan = [row.lesion for row in study_plan(chain, random=False, **NUMBERS)]
    reference = np.stack(list(reference_logits(chain, plan, images, batch_size=N)))
    result = evaluate(chain, plan, images)
    assert result.agreement.largest_relative_difference > MAX_DIFFERENCE  # elsewhere a mistake
    logits = SweepSpec(chain, plan, N).evaluator.logits(images)
    same = agreement(logits, reference, result.rounding)
    assert same.n_unexplained == 0
    assert same.largest_relative_difference < result.rounding
    some = slice(None, None, 20)
    exact = truth(chain, plan[some], images)
    assert is_as_exact_as_the_reference(logits[some], reference[some], exact)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "depth", "options"),
    [
        ("resnet", 110, {}),
        ("vgg", 15, {}),
        ("highway", 110, {"gate_bias": -3.0}),
        ("highway", 110, {"gate_bias": -1.0}),
    ],
)
def test_moved_digits_say_how_far_engine_and_reference_lie_apart(model, depth, options):
    chain, images = made(model, depth, **options)
    plan = [row.lesion for row in study_plan(chain, random=True, **NUMBERS)][:: 613 // 8]
    network = CompiledParts(chain, compile=lambda function: function)
    reference = np.stack([network(lesion, images) for lesion in plan])
    moved = differences(perturbed_logits(network, plan, images), reference).max()
    ours = differences(SweepSpec(chain, plan, N).evaluator.logits(images), reference).max()
    print(model, options, ours, moved)
    assert moved / 3 < ours < NOISE_FACTOR * moved
