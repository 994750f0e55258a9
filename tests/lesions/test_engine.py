"""The engine against the reference, on plans of every kind of lesion."""

from dataclasses import replace

import numpy as np
import pytest

from residual_ensembles import backend
from residual_ensembles.lesions import (
    Lesion,
    cascade,
    closeness,
    evaluate,
    lesion_table,
    reference_logits,
    study_plan,
    summary,
)
from residual_ensembles.lesions import agreement as agreement_module
from residual_ensembles.lesions.agreement import agreement
from residual_ensembles.lesions.evaluator import Evaluator
from residual_ensembles.lesions.prepared_network import PreparedNetwork
from residual_ensembles.lesions.worker import SweepSpec

MIXED = [
    Lesion(deletions=[1, 4], swaps=[(5, 6)], duplications=[8]),
    Lesion(deletions=range(1, 10)),
    Lesion(deletions=[2, 2 + 1], swaps=[(2, 3)]),
    Lesion(deletions=[1, 4], swaps=[(5, 6)], duplications=[8]),
]


@pytest.fixture(scope="session")
def plans(chains):
    numbers = {"k": 4, "draws": 4, "swaps": 3, "duplications": 3, "seed": 0}
    return {
        kind: [row.lesion for row in study_plan(chain, random=True, **numbers)] + MIXED
        if kind != "vgg"
        else [row.lesion for row in study_plan(chain, random=True, **numbers)]
        for kind, chain in chains.items()
    }


@pytest.fixture(scope="session")
def references(chains, plans, pictures):
    return {
        kind: np.stack(list(reference_logits(chain, plans[kind], pictures)))
        for kind, chain in chains.items()
    }


@pytest.fixture(params=["resnet", "highway", "vgg"])
def case(request, chains, plans, references):
    return chains[request.param], plans[request.param], references[request.param]


def test_float32_equals_the_reference(case, pictures):
    chain, plan, reference = case
    found = agreement(SweepSpec(chain, plan, len(pictures)).evaluator.logits(pictures), reference)
    assert found.n_unexplained == 0
    assert found.largest_relative_difference < 1e-4
    assert len({tuple(row) for row in reference.argmax(-1)}) > len(plan) / 2  # lesions matter


@pytest.mark.parametrize("rows", [4, 1000])
def test_predictions_do_not_depend_on_memory(case, pictures, rows, monkeypatch):
    # Of the activations alone: by how much a process grows meanwhile depends on what ran before.
    monkeypatch.setattr(Evaluator, "_watch_memory", lambda self: None)
    chain, plan, reference = case
    memory = rows * 64 * 4 * int(max(np.prod(shape) for shape in chain.shapes))
    found = evaluate(chain, plan, pictures, memory_bytes=memory)
    certain = closeness.gaps(reference) > found.rounding
    assert certain.mean() > 0.99
    np.testing.assert_array_equal(found.predictions[certain], reference.argmax(-1)[certain])
    assert found.agreement.n_unexplained == 0
    assert 0 < found.peak_bytes <= memory


def test_close_logits_are_counted(case, pictures, monkeypatch):
    chain, plan, reference = case
    monkeypatch.setattr(closeness, "ROUNDING", 0.03)  # at its own size next to none are close
    found = evaluate(chain, plan, pictures)
    expected = (closeness.gaps(reference) < found.rounding).sum(axis=1)
    assert expected.sum() > 24
    np.testing.assert_allclose(found.n_close, expected, atol=1)
    assert abs(found.n_close.sum() - expected.sum()) <= 2


def test_what_rounding_does_not_explain_is_told(resnet, pictures):
    found = evaluate(resnet, MIXED, pictures)
    assert "explains" not in summary(found)
    worse = found.agreement._replace(n_different=3, n_unexplained=1)
    told = summary(replace(found, agreement=worse))
    assert "3 of 48 differ from the reference on a sample" in told  # three lesions, each once
    assert "1 of these differ by more than rounding explains" in told


@pytest.mark.bfloat16
def test_bfloat16_says_what_it_changes(resnet, plans, pictures, monkeypatch):
    made, logits = {"bfloat16": [], "float32": []}, Evaluator.logits

    def noted(self, pictures, precision="float32", **options):
        made[precision].append(logits(self, pictures, precision, **options))
        return made[precision][-1]

    monkeypatch.setattr(Evaluator, "logits", noted)
    plan = list(dict.fromkeys(plans["resnet"]))
    found = evaluate(resnet, plan, pictures, precision="bfloat16")
    high = made["float32"][
        1:
    ]  # on the sample, all pictures here; the first is held to the reference
    low, rest = made["bfloat16"][: len(high)], made["bfloat16"][len(high) :]
    changed = [a.argmax(-1) != b.argmax(-1) for a, b in zip(low, high, strict=True)]
    assert found.check.n == sum(map(np.size, changed)) == len(plan) * len(pictures)
    assert 0 < found.check.n_changed == sum(map(np.sum, changed)) < 0.1 * found.check.n
    assert sum(each[..., 0].size for each in rest) == found.predictions.size
    np.testing.assert_array_equal(found.predictions, np.concatenate([e.argmax(-1) for e in rest]))
    assert f"bfloat16 changes {found.check.n_changed} of {found.check.n}" in summary(found)


@pytest.mark.bfloat16
def test_a_cascade_changes_what_rounds_more_than_its_thresholds(case, pictures, monkeypatch):
    chain, plan, reference = case
    monkeypatch.setattr(cascade, "SAMPLE", len(pictures) // 2)  # the others it has not seen
    found = evaluate(chain, plan, pictures, precision="cascade")
    assert found.check.n == reference[..., 0].size // 2
    evaluator = SweepSpec(chain, plan, len(pictures)).evaluator
    low, high = (evaluator.logits(pictures, p) for p in ("bfloat16", "float32"))
    promised = closeness.rounding(low, high) < found.check.thresholds[:, None]
    assert promised.mean() > 0.99  # what was not seen rounds as the sample does
    promised |= (found.n_redone == len(pictures))[:, None]
    promised &= closeness.gaps(reference) > found.rounding  # what float32 itself says for certain
    np.testing.assert_array_equal(found.predictions[promised], reference.argmax(-1)[promised])
    assert (low.argmax(-1) != reference.argmax(-1))[promised].any()  # bfloat16 alone is wrong there
    assert (found.n_redone[found.n_beyond > 0] == len(pictures)).all()
    assert 0 < found.n_redone.sum() < reference[..., 0].size
    told = f"made again in float32, of which {found.n_beyond.sum()} rounded more than allowed for"
    assert f"{found.n_redone.sum()} {told}" in summary(found)


@pytest.mark.bfloat16
def test_progress_counts_every_prediction_once(resnet, pictures):
    seen = []
    evaluate(resnet, MIXED, pictures, precision="cascade", progress=seen.append)
    assert sum(seen) == pytest.approx(len(MIXED) * len(pictures))


@pytest.fixture(scope="session")
def many_pictures():
    return np.random.default_rng(5).integers(0, 256, (1500, 8, 8, 1)).astype(np.uint8)


@pytest.mark.parametrize(
    "precision", ["float32", pytest.param("cascade", marks=pytest.mark.bfloat16)]
)
def test_a_margin_takes_fewer_pictures(resnet, many_pictures, precision):
    plan = study_plan(resnet, k=1, draws=1, swaps=1, duplications=1, seed=0, random=False)
    evaluator = SweepSpec(resnet, [row.lesion for row in plan], len(many_pictures)).evaluator
    logits = evaluator.logits(many_pictures)
    exact = logits.argmax(-1)
    labels = exact[0].copy()
    labels[::10] = (labels[::10] + 1) % 10  # the intact network is wrong on a tenth
    found = evaluate(
        resnet,
        plan,
        many_pictures,
        precision=precision,
        labels=labels,
        error_margin=0.03,
    )
    known = found.predictions >= 0
    np.testing.assert_array_equal(found.intact, found.predictions[0])
    wrong = known & (found.predictions != exact) & (closeness.gaps(logits) > found.rounding)
    assert wrong.mean() < 0.001
    if wrong.any():  # in float32 never, and in a cascade where rounding exceeds its threshold
        low = evaluator.logits(many_pictures, "bfloat16", wrong)
        limits = found.check.thresholds[:, None]
        assert (closeness.rounding(low, logits) > limits)[wrong].all()
    if precision == "cascade":
        assert found.n_redone[0] > 0  # the intact network, on all pictures
    assert known[0].all()  # the intact row is known anyway
    assert 0.2 < known[1:].mean() < 0.8
    table = lesion_table("resnet", 0, plan, 9, found.predictions, labels, found.intact)
    truth = (exact != labels).mean(axis=1)
    low, high = table["error_on_images_low"], table["error_on_images_high"]
    assert ((low <= truth + 1e-12) & (truth <= high + 1e-12)).sum() >= len(plan) - 1
    assert (high - low <= 0.06 + 1e-12).all()
    assert table["n_images"].tolist() == known.sum(axis=1).tolist()


@pytest.mark.bfloat16
def test_a_margin_keeps_within_the_memory(resnet, many_pictures, monkeypatch):
    plan = study_plan(resnet, k=1, draws=1, swaps=1, duplications=1, seed=0, random=False)
    memory = 64 * 4 * 8 * 8 * 16 * 24  # batches of 24 activations
    sizes, logits = [], Evaluator.logits

    def noted(self, pictures, *arguments, **options):
        sizes.append(len(pictures))
        return logits(self, pictures, *arguments, **options)

    monkeypatch.setattr(Evaluator, "logits", noted)
    labels = np.zeros(len(many_pictures), int)
    options = {"error_margin": 0.1, "precision": "cascade", "memory_bytes": memory}
    found = evaluate(resnet, plan, many_pictures, labels=labels, **options)
    assert max(sizes) <= 24
    assert 128 < (found.predictions >= 0).sum(axis=1).min() < len(many_pictures)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "float16"}, "precision='float16', expected one of float32, bfloat16, casc"),
        ({"error_margin": 0.1}, "error_margin=0.1 and no labels for 40 pictures"),
        ({"error_margin": 0.1, "labels": np.zeros(3)}, "and 3 labels for 40 pictures"),
        ({"error_margin": 0.1, "labels": np.zeros((40, 10))}, "and 40×10 labels for 40 pictures"),
        ({"error_margin": 2.0, "labels": np.zeros(40)}, "error_margin=2.0, expected a fraction"),
        ({"memory_bytes": 1000}, "memory bound of 1000 bytes"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(resnet, pictures, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(resnet, MIXED, pictures, **options)


@pytest.mark.parametrize("precision", ["bfloat16", "cascade"])
def test_bfloat16_that_cannot_be_computed_is_refused(resnet, pictures, precision, monkeypatch):
    monkeypatch.setattr(backend, "bfloat16_problem", lambda: "there is none. Try another day")
    message = f"precision='{precision}', expected float32: there is none. Try another day."
    with pytest.raises(ValueError, match=message):
        evaluate(resnet, MIXED, pictures, precision=precision)


def test_no_lesions_are_refused(resnet, pictures):
    with pytest.raises(ValueError, match="Received no lesions, expected at least one"):
        evaluate(resnet, [], pictures)


def test_no_pictures_are_refused(resnet, pictures):
    with pytest.raises(ValueError, match="no pictures, expected at least one"):
        evaluate(resnet, MIXED, pictures[:0])


@pytest.mark.parametrize("size", [(8, 8, 3), (7, 7, 1), (8, 8)])
def test_pictures_of_another_shape_are_refused(resnet, size):
    with pytest.raises(ValueError, match=r"expected one or more of \(8, 8, 1\) each"):
        evaluate(resnet, MIXED, np.zeros((5, *size), np.uint8))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pictures_that_are_no_numbers_are_refused(resnet, value):
    some = np.zeros((400, 8, 8, 1), "float32")
    some[333] = value
    with pytest.raises(ValueError, match="NaN or infinite, the first in example 333"):
        evaluate(resnet, MIXED, some)


class Unread:
    """Pictures that have no type before they are read, as those of a folder."""

    def __init__(self, array):
        self.array = array

    def __len__(self):
        return len(self.array)

    def __getitem__(self, some):
        return self.array[some]


@pytest.mark.parametrize("margin", [None, 0.05])
def test_logits_that_are_no_numbers_are_refused(resnet, margin):
    """Wherever they are: a sample of 16 pictures, which the reference sees, rarely has them."""
    some = np.random.default_rng(0).uniform(0, 255, (400, 8, 8, 1)).astype("float32")
    some[333] = np.nan
    labels = np.zeros(400, int)
    with pytest.raises(ArithmeticError, match=r"for example 333 .* after the lesion 'intact'"):
        evaluate(resnet, [Lesion(), *MIXED], Unread(some), labels=labels, error_margin=margin)


def test_a_lesion_that_the_network_cannot_bear_is_refused(resnet, pictures):
    with pytest.raises(ValueError, match="module 4 changes the shape"):
        evaluate(resnet, [Lesion(duplications=[4])], pictures)


@pytest.mark.bfloat16
def test_no_evaluation_leaves_a_trace(resnet, pictures):
    weights = [w.copy() for w in resnet.get_weights()]
    config = resnet.get_config()
    evaluate(resnet, MIXED, pictures, precision="cascade")
    for before, after in zip(weights, resnet.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert resnet.get_config() == config


def test_a_module_that_is_prepared_wrongly_is_noticed(chains, pictures, monkeypatch):
    run = PreparedNetwork.run
    monkeypatch.setattr(PreparedNetwork, "run", lambda self, step, y: 1.02 * run(self, step, y))
    with pytest.raises(ArithmeticError, match="differ from those of the network itself"):
        evaluate(chains["resnet"], [Lesion()], pictures)


def test_rounding_that_the_network_itself_enlarges_is_no_mistake(chain, pictures, monkeypatch):
    monkeypatch.setattr(agreement_module, "LARGEST", 0.0)  # as if every network did
    whole = evaluate(chain, [Lesion()], pictures)
    found = whole.agreement
    assert f"the network itself turns rounding into {found.own:.1e}" in summary(whole)
    bound = agreement_module.OWN * found.own
    assert (
        0 < found.largest_relative_difference < bound < 1e-3
    )  # less than the mistake that follows
    run = PreparedNetwork.run
    monkeypatch.setattr(PreparedNetwork, "run", lambda self, step, y: 1.001 * run(self, step, y))
    with pytest.raises(ArithmeticError, match="a module does something else"):
        evaluate(chain, [Lesion()], pictures)
