"""Gradients by path in chunks, against the same taken apart in one go."""

import numpy as np
import pytest

from residual_ensembles import data, models, paths
from residual_ensembles.paths.study import gradient_chunks, measurement
from residual_ensembles.paths.study.gradient_chunks import NetworkSnapshot
from residual_ensembles.paths.study.gradient_study import GradientStudy, empty_results, lengths_of
from residual_ensembles.runtime.executor import Serial
from residual_ensembles.runtime.result_cache import ResultCache

STUDY = GradientStudy(samples=12, batches=3, batch_size=4)


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared") / "digits"
    return data.prepare("digits", folder, limit_train=60, limit_test=20).split("train")


@pytest.fixture
def networks(build, tmp_path):
    """Two epochs of a network, the first with other weights, and a network of another seed."""
    result = []
    for title, epoch, seed in (("one", 0, 1), ("one", 5, 2), ("other", 5, 3)):
        file = tmp_path / f"{title}-{epoch}.keras"
        models.save(build(depth=14, seed=seed), file)
        mode = "inference" if epoch else "training"
        estimators = ("exact", "sampled") if epoch else ("exact",)
        result.append(NetworkSnapshot(title, epoch, file, mode, estimators))
    return result


def in_one_go(network, split):
    """Returns what is found of a network batch by batch, in this process: the obvious way."""
    chain, result = models.load(network.file), empty_results()
    linearization = paths.Linearization(chain, network.batch_norm)
    for index in range(STUDY.batches):
        point = linearization.linearize(*STUDY.batch(split, index))
        STUDY.add_exact(point, chain, result)
        if "sampled" in network.estimators:
            result["sampled"].append(STUDY.sample_paths(point, chain, index, lengths_of(chain)))
    return result


def test_several_chunks_give_the_result_of_one(networks, split, monkeypatch):
    monkeypatch.setattr(gradient_chunks, "BATCHES_IN_CHUNK", 2)
    monkeypatch.setattr(gradient_chunks, "PATHS_IN_CHUNK", 10)
    steps = []
    measured = measurement.measure_gradients(networks, split, STUDY, Serial(), steps.append)
    assert sum(steps) == pytest.approx(STUDY.batches * 5)
    for network, result in zip(networks, measured, strict=True):
        expected = in_one_go(network, split)
        assert result.results.keys() == expected.keys()
        for name, batches in expected.items():
            assert len(result.results[name]) == len(batches)
            for own, full in zip(result.results[name], batches, strict=True):
                same(own, full)


class Ends(Serial):
    """Is ended when two tasks are finished."""

    def run(self, tasks, *how, **more):
        super().run(tasks[:2], *how, **more)
        raise KeyboardInterrupt


def test_an_interrupted_run_is_resumed(networks, split, tmp_path):
    networks = networks[:2]
    kept = {"one": ResultCache(tmp_path / "kept")}
    with pytest.raises(KeyboardInterrupt):
        measurement.measure_gradients(networks, split, STUDY, Ends(), lambda n: None, kept)
    assert len(list((tmp_path / "kept").iterdir())) == 2
    steps, executor = [], Serial()
    measured = measurement.measure_gradients(networks, split, STUDY, executor, steps.append, kept)
    assert sum(steps) == pytest.approx(STUDY.batches * 3)
    # Three batches of sampled paths, and what is exact.
    assert executor.nodes.total() == 4 - 2
    full = measurement.measure_gradients(networks, split, STUDY, Serial(), lambda n: None)
    for network, own, other in zip(networks, measured, full, strict=True):
        tables = [STUDY.tables(network.title, 0, result) for result in (own, other)]
        as_text = [
            {s: [frame.to_csv() for frame in frames] for s, frames in each.items()}
            for each in tables
        ]
        assert as_text[0] == as_text[1]


def test_a_damaged_network_is_refused(networks, split):
    networks[0].file.write_bytes(b"no network")
    with pytest.raises(ValueError, match=r"one-0\.keras"):
        measurement.measure_gradients(networks, split, STUDY, Serial(), lambda n: None)


def test_another_network_data_or_study_has_another_cache(networks, tmp_path, monkeypatch):
    monkeypatch.setenv("RESIDUAL_ENSEMBLES_CHECKPOINTS", str(tmp_path))
    in_inference = [networks[0]._replace(batch_norm="inference"), networks[1]]
    larger = GradientStudy(samples=12, batches=3, batch_size=5)
    folders = [
        measurement.gradient_cache(*each).folder
        for each in (
            (networks[:2], "data", STUDY),
            (networks[2:], "data", STUDY),
            (in_inference, "data", STUDY),
            (networks[:2], "more", STUDY),
            (networks[:2], "data", larger),
        )
    ]
    assert len(set(folders)) == len(folders)
    assert {folder.parent for folder in folders} == {tmp_path / "gradients"}


def same(own, full) -> None:
    """Arrays that agree, or tuples of them."""
    if isinstance(full, tuple):
        for mine, theirs in zip(own, full, strict=True):
            same(mine, theirs)
    else:
        np.testing.assert_allclose(own, full, rtol=1e-4, atol=2e-6)


def test_nothing_is_compiled_for_another_epoch_or_seed(networks, monkeypatch):
    made = []

    class Noted(paths.Linearization):
        def __init__(self, *arguments):
            made.append(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr(measurement, "Linearization", Noted)
    measurement._LAST.clear()
    ready = [measurement._linearization(n.file.read_bytes(), "inference") for n in networks]
    assert len(made) == 1
    weights = models.load(networks[-1].file).get_weights()
    for own, expected in zip(ready[0].chain.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(own, expected)
