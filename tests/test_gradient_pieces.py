"""Gradients by path in pieces, against the same taken apart in one go."""

import numpy as np
import pytest

from residual_ensembles import data, gradient_pieces, models, paths
from residual_ensembles.executor import Executor
from residual_ensembles.gradient_pieces import Network
from residual_ensembles.gradient_study import GradientStudy

STUDY = GradientStudy(samples=12, batches=3, batch_size=4)


@pytest.fixture(scope="module")
def part(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared") / "digits"
    return data.prepare("digits", folder, limit_train=60, limit_test=20).part("train")


@pytest.fixture
def networks(build, tmp_path):
    """Two epochs of a network, the first with other weights, and a network of another seed."""
    found = []
    for title, epoch, seed in (("one", 0, 1), ("one", 5, 2), ("other", 5, 3)):
        file = tmp_path / f"{title}-{epoch}.keras"
        models.save(build(depth=14, seed=seed), file)
        mode = "inference" if epoch else "training"
        estimators = ("exact", "sampled") if epoch else ("exact",)
        found.append(Network(title, epoch, file, mode, estimators))
    return found


def test_pieces_are_put_together_as_if_there_had_been_one(networks, part, monkeypatch):
    monkeypatch.setattr(gradient_pieces, "BATCHES_IN_PIECE", 2)
    monkeypatch.setattr(gradient_pieces, "PATHS_IN_PIECE", 10)
    steps = []
    measured = gradient_pieces.measure(networks, part, STUDY, Executor(), steps.append)
    assert sum(steps) == pytest.approx(STUDY.batches * 5)
    for network, found in zip(networks, measured, strict=True):
        expected = STUDY.measure(
            models.load(network.file),
            network.batch_norm,
            part,
            network.estimators,
            lambda n: None,
        )
        assert found.found.keys() == expected.keys()
        for name, batches in expected.items():
            assert len(found.found[name]) == len(batches)
            for own, whole in zip(found.found[name], batches, strict=True):
                same(own, whole)


def same(own, whole) -> None:
    """Arrays that agree, or tuples of them."""
    if isinstance(whole, tuple):
        for mine, theirs in zip(own, whole, strict=True):
            same(mine, theirs)
    else:
        np.testing.assert_allclose(own, whole, rtol=1e-4, atol=2e-6)


def test_nothing_is_compiled_for_another_epoch_or_seed(networks, monkeypatch):
    made = []

    class Noted(paths.Linearization):
        def __init__(self, *arguments):
            made.append(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr(gradient_pieces, "Linearization", Noted)
    gradient_pieces._LAST.clear()
    ready = [gradient_pieces._ready(n.file.read_bytes()) for n in networks]
    for each in ready:
        each.linearization("inference")
    assert len(made) == 1
    weights = models.load(networks[-1].file).get_weights()
    for own, expected in zip(ready[0].chain.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(own, expected)
