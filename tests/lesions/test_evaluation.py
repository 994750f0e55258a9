"""The engine against the reference, on plans of every kind of lesion."""

from dataclasses import replace

import numpy as np
import pytest

from residual_ensembles import backend
from residual_ensembles.lesions import (
    Lesion,
    evaluate,
    lesion_table,
    reference_logits,
    study_plan,
    summary,
)
from residual_ensembles.lesions.engine.evaluator import Evaluator, SweepSpec
from residual_ensembles.lesions.engine.prepared_network import PreparedNetwork
from residual_ensembles.lesions.exactness import agreement as agreement_module
from residual_ensembles.lesions.exactness import cascade, ties
from residual_ensembles.lesions.exactness.agreement import agreement

MIXED = [
    Lesion(deletions=[1, 4], swaps=[(5, 6)], duplications=[8]),
    Lesion(deletions=range(1, 10)),
    Lesion(deletions=[2, 2 + 1], swaps=[(2, 3)]),
    Lesion(deletions=[1, 4], swaps=[(5, 6)], duplications=[8]),
]


@pytest.fixture(scope="session")
def plans(chains):
    numbers = {"k": 3, "draws": 3, "swaps": 2, "duplications": 2, "seed": 0}
    return {
        kind: [row.lesion for row in study_plan(chain, random=True, **numbers)] + MIXED
        if kind != "vgg"
        else [row.lesion for row in study_plan(chain, random=True, **numbers)]
        for kind, chain in chains.items()
    }


@pytest.fixture(scope="session")
def references(chains, plans, images):
    return {
        kind: np.stack(list(reference_logits(chain, plans[kind], images)))
        for kind, chain in chains.items()
    }


@pytest.fixture(params=["resnet", "highway", "vgg"])
def case(request, chains, plans, references):
    return chains[request.param], plans[request.param], references[request.param]


def test_float32_equals_the_reference(case, images):
    chain, plan, reference = case
    result = agreement(SweepSpec(chain, plan, len(images)).evaluator.logits(images), reference)
    assert result.n_unexplained == 0
    assert result.largest_relative_difference < 1e-4
    assert len({tuple(row) for row in reference.argmax(-1)}) > len(plan) / 2  # lesions matter


@pytest.mark.parametrize("rows", [16, 1000])
def test_predictions_do_not_depend_on_memory(case, images, rows, monkeypatch):
    peaks = []
    peak = property(lambda self: 0, lambda self, n: peaks.append(n))
    monkeypatch.setattr(Evaluator, "peak_bytes", peak, raising=False)
    chain, plan, reference = case
    memory = rows * 64 * 4 * int(max(np.prod(shape) for shape in chain.shapes))
    result = evaluate(chain, plan, images, memory_bytes=memory)
    certain = ties.relative_top2_margin(reference) > result.rounding
    assert certain.mean() > 0.99
    np.testing.assert_array_equal(result.predictions[certain], reference.argmax(-1)[certain])
    assert result.agreement.n_unexplained == 0
    assert 0 < max(peaks) <= memory


def test_close_logits_are_counted(case, images, monkeypatch):
    chain, plan, reference = case
    monkeypatch.setattr(ties, "ROUNDING", 0.03)  # at its own size next to none are close
    result = evaluate(chain, plan, images)
    expected = (ties.relative_top2_margin(reference) < result.rounding).sum(axis=1)
    assert expected.sum() > 24
    np.testing.assert_allclose(result.n_close, expected, atol=1)
    assert abs(result.n_close.sum() - expected.sum()) <= 2


def test_the_summary_names_differences_that_rounding_does_not_explain(resnet, images):
    result = evaluate(resnet, MIXED, images)
    assert "explains" not in summary(result)
    worse = result.agreement._replace(n_different=3, n_unexplained=1)
    text = summary(replace(result, agreement=worse))
    assert "3 of 48 differ from the reference on a sample" in text  # three lesions, each once
    assert "1 of these differ by more than rounding explains" in text


@pytest.mark.bfloat16
def test_bfloat16_says_what_it_changes(resnet, plans, images, monkeypatch):
    made, logits = {"bfloat16": [], "float32": []}, Evaluator.logits

    def noted(self, images, precision="float32", **options):
        made[precision].append(logits(self, images, precision, **options))
        return made[precision][-1]

    monkeypatch.setattr(Evaluator, "logits", noted)
    plan = list(dict.fromkeys(plans["resnet"]))
    result = evaluate(resnet, plan, images, precision="bfloat16")
    high = made["float32"][1:]  # on the sample, all images here; the first is held to the reference
    low, rest = made["bfloat16"][: len(high)], made["bfloat16"][len(high) :]
    changed = [a.argmax(-1) != b.argmax(-1) for a, b in zip(low, high, strict=True)]
    assert result.bfloat16.n == sum(map(np.size, changed)) == len(plan) * len(images)
    assert 0 < result.bfloat16.n_changed == sum(map(np.sum, changed)) < 0.1 * result.bfloat16.n
    assert sum(each[..., 0].size for each in rest) == result.predictions.size
    np.testing.assert_array_equal(result.predictions, np.concatenate([e.argmax(-1) for e in rest]))
    assert f"bfloat16 changes {result.bfloat16.n_changed} of {result.bfloat16.n}" in summary(result)


@pytest.mark.bfloat16
def test_a_cascade_changes_what_rounds_more_than_its_thresholds(case, images, monkeypatch):
    chain, plan, reference = case
    monkeypatch.setattr(cascade, "SAMPLE", len(images) // 2)  # the others it has not seen
    result = evaluate(chain, plan, images, precision="cascade")
    assert result.bfloat16.n == reference[..., 0].size // 2
    evaluator = SweepSpec(chain, plan, len(images)).evaluator
    low, high = (evaluator.logits(images, p) for p in ("bfloat16", "float32"))
    promised = ties.margin_error(low, high) < result.bfloat16.thresholds[:, None]
    assert promised.mean() > 0.99  # what was not seen rounds as the sample does
    promised |= (result.n_reevaluated == len(images))[:, None]
    promised &= (
        ties.relative_top2_margin(reference) > result.rounding
    )  # what float32 itself says for certain
    np.testing.assert_array_equal(result.predictions[promised], reference.argmax(-1)[promised])
    assert (low.argmax(-1) != reference.argmax(-1))[promised].any()  # bfloat16 alone is wrong there
    assert (result.n_reevaluated[result.n_threshold_violations > 0] == len(images)).all()
    assert 0 < result.n_reevaluated.sum() < reference[..., 0].size
    n = result.n_threshold_violations.sum()
    expected = f"reevaluated in float32, of which {n} rounded more than the threshold"
    assert f"{result.n_reevaluated.sum()} {expected}" in summary(result)


@pytest.mark.bfloat16
def test_progress_counts_every_prediction_once(resnet, images):
    seen = []
    evaluate(resnet, MIXED, images, precision="cascade", progress=seen.append)
    assert sum(seen) == pytest.approx(len(MIXED) * len(images))


@pytest.fixture(scope="session")
def many_images():
    return np.random.default_rng(5).integers(0, 256, (1500, 8, 8, 1)).astype(np.uint8)


CASCADES = ["float32", pytest.param("cascade", marks=pytest.mark.bfloat16)]


@pytest.mark.parametrize("precision", CASCADES)
def test_a_half_width_takes_fewer_images(resnet, many_images, precision):
    plan = study_plan(resnet, k=1, draws=1, swaps=1, duplications=1, seed=0, random=False)
    evaluator = SweepSpec(resnet, [row.lesion for row in plan], len(many_images)).evaluator
    logits = evaluator.logits(many_images)
    exact = logits.argmax(-1)
    labels = exact[0].copy()
    labels[::10] = (labels[::10] + 1) % 10  # the intact network is wrong on a tenth
    seen = []
    result = evaluate(
        resnet,
        plan,
        many_images,
        precision=precision,
        labels=labels,
        ci_half_width=0.03,
        progress=seen.append,
    )
    assert sum(seen) == pytest.approx(len(plan) * len(many_images))  # so that a bar gets full
    known = result.predictions >= 0
    np.testing.assert_array_equal(result.intact, result.predictions[0])
    wrong = (
        known
        & (result.predictions != exact)
        & (ties.relative_top2_margin(logits) > result.rounding)
    )
    assert wrong.mean() < 0.001
    if wrong.any():  # in float32 never, and in a cascade where rounding exceeds its threshold
        low = evaluator.logits(many_images, "bfloat16", wrong)
        limits = result.bfloat16.thresholds[:, None]
        assert (ties.margin_error(low, logits) > limits)[wrong].all()
    if precision == "cascade":
        assert result.n_reevaluated[0] > 0  # the intact network, on all images
    assert known[0].all()  # the intact row is known anyway
    assert 0.2 < known[1:].mean() < 0.8
    table = lesion_table("resnet", 0, plan, 9, result.predictions, labels, result.intact)
    truth = (exact != labels).mean(axis=1)
    low, high = table["error_on_images_low"], table["error_on_images_high"]
    assert ((low <= truth + 1e-12) & (truth <= high + 1e-12)).sum() >= len(plan) - 1
    assert (high - low <= 0.06 + 1e-12).all()
    assert table["n_images"].tolist() == known.sum(axis=1).tolist()


@pytest.mark.parametrize("precision", CASCADES)
def test_some_kinds_of_lesions_are_evaluated_on_all_images(resnet, many_images, precision):
    plan = study_plan(resnet, k=2, draws=2, swaps=1, duplications=1, seed=0, random=True)
    labels = np.arange(len(many_images)) % 10
    expected = evaluate(resnet, plan, many_images, precision=precision)
    options = {"precision": precision, "ci_half_width": 0.1}
    kinds = ["single_deletion", "reorder"]
    result = evaluate(resnet, plan, many_images, labels=labels, fully_evaluated=kinds, **options)
    known = result.predictions >= 0
    full = np.array([row.sweep in ("intact", *kinds) for row in plan])
    single = {row.lesion for row in plan if row.sweep == "single_deletion"}
    full |= np.array([row.lesion in single for row in plan])  # planned twice, evaluated once
    assert known[full].all()
    assert not known[~full].all(axis=1).any()
    same = (result.predictions == expected.predictions)[known]
    assert same.all() if precision == "float32" else same.mean() > 0.999


def test_labels_may_be_one_hot(resnet, images):
    labels = np.arange(len(images)) % 10
    results = [
        evaluate(resnet, MIXED, images, labels=each, ci_half_width=0.2)
        for each in (labels, np.eye(10)[labels], labels[:, None].astype(float))
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(result.predictions, results[0].predictions)


@pytest.mark.bfloat16
def test_sequential_sampling_keeps_within_the_memory(resnet, many_images, monkeypatch):
    plan = study_plan(resnet, k=1, draws=1, swaps=1, duplications=1, seed=0, random=False)
    memory = 64 * 4 * 8 * 8 * 16 * 24  # batches of 24 activations
    sizes, logits = [], Evaluator.logits

    def noted(self, images, *arguments, **options):
        sizes.append(len(images))
        return logits(self, images, *arguments, **options)

    monkeypatch.setattr(Evaluator, "logits", noted)
    labels = np.zeros(len(many_images), int)
    options = {"ci_half_width": 0.1, "precision": "cascade", "memory_bytes": memory}
    result = evaluate(resnet, plan, many_images, labels=labels, **options)
    assert max(sizes) <= 24
    assert 128 < (result.predictions >= 0).sum(axis=1).min() < len(many_images)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"precision": "float16"}, "precision='float16'"),
        ({"ci_half_width": 0.1}, "ci_half_width=0.1"),
        ({"ci_half_width": 0.1, "labels": np.zeros(3)}, r"\(3,\)"),
        ({"ci_half_width": 0.1, "labels": np.zeros((40, 10))}, "row 0"),
        ({"ci_half_width": 2.0, "labels": np.zeros(40)}, "ci_half_width=2.0"),
        ({"memory_bytes": 1000}, "1000 bytes"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(resnet, images, options, named):
    with pytest.raises(ValueError, match=named):
        evaluate(resnet, MIXED, images, **options)


def test_a_kind_of_lesions_that_does_not_exist_is_refused(resnet, images):
    with pytest.raises(ValueError, match="fully_evaluated"):
        evaluate(resnet, MIXED, images, fully_evaluated=["single"])


@pytest.mark.parametrize("precision", ["bfloat16", "cascade"])
def test_bfloat16_that_cannot_be_computed_is_refused(resnet, images, precision, monkeypatch):
    monkeypatch.setattr(backend, "bfloat16_problem", lambda: "there is none. Try another day")
    with pytest.raises(ValueError, match=f"precision='{precision}'.*another day"):
        evaluate(resnet, MIXED, images, precision=precision)


def test_no_lesions_are_refused(resnet, images):
    with pytest.raises(ValueError, match="no lesions"):
        evaluate(resnet, [], images)


def test_no_images_are_refused(resnet, images):
    with pytest.raises(ValueError, match="no images"):
        evaluate(resnet, MIXED, images[:0])


@pytest.mark.parametrize("size", [(8, 8, 3), (7, 7, 1), (8, 8)])
def test_images_of_another_shape_are_refused(resnet, size):
    with pytest.raises(ValueError, match=r"\(8, 8, 1\)"):
        evaluate(resnet, MIXED, np.zeros((5, *size), np.uint8))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_images_that_are_nan_or_infinite_are_refused(resnet, value):
    some = np.zeros((400, 8, 8, 1), "float32")
    some[333] = value
    with pytest.raises(ValueError, match="example 333"):
        evaluate(resnet, MIXED, some)


class Unread:
    """Images that have no type before they are read, as those of a folder."""

    def __init__(self, array):
        self.array = array

    def __len__(self):
        return len(self.array)

    def __getitem__(self, some):
        return self.array[some]


@pytest.mark.parametrize("margin", [None, 0.05])
def test_logits_that_are_nan_are_refused(resnet, margin):
    """Wherever they are: a sample of 16 images, which the reference sees, rarely has them."""
    some = np.random.default_rng(0).uniform(0, 255, (400, 8, 8, 1)).astype("float32")
    some[333] = np.nan
    labels = np.zeros(400, int)
    with pytest.raises(ArithmeticError, match=r"example 333 .*'intact'"):
        evaluate(resnet, [Lesion(), *MIXED], Unread(some), labels=labels, ci_half_width=margin)


def test_a_lesion_that_the_network_does_not_allow_is_refused(resnet, images):
    with pytest.raises(ValueError, match="module 4"):
        evaluate(resnet, [Lesion(duplications=[4])], images)


@pytest.mark.bfloat16
def test_no_evaluation_leaves_a_trace(resnet, images):
    weights = [w.copy() for w in resnet.get_weights()]
    config = resnet.get_config()
    evaluate(resnet, MIXED, images, precision="cascade")
    for before, after in zip(weights, resnet.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert resnet.get_config() == config


def test_a_module_that_is_prepared_wrongly_is_noticed(chains, images, monkeypatch):
    run = PreparedNetwork.run
    monkeypatch.setattr(PreparedNetwork, "run", lambda self, step, y: 1.02 * run(self, step, y))
    with pytest.raises(ArithmeticError, match="network itself"):
        evaluate(chains["resnet"], [Lesion()], images)


def test_rounding_that_the_network_itself_enlarges_is_no_mistake(chain, images, monkeypatch):
    monkeypatch.setattr(agreement_module, "MAX_DIFFERENCE", 0.0)  # as if every network did
    full = evaluate(chain, [Lesion()], images)
    result = full.agreement
    assert f"the network itself turns rounding into {result.self_noise:.1e}" in summary(full)
    bound = agreement_module.NOISE_FACTOR * result.self_noise
    assert (
        0 < result.largest_relative_difference < bound < 1e-3
    )  # less than the mistake that follows
    run = PreparedNetwork.run
    monkeypatch.setattr(PreparedNetwork, "run", lambda self, step, y: 1.001 * run(self, step, y))
    with pytest.raises(ArithmeticError, match="network itself"):
        evaluate(chain, [Lesion()], images)
