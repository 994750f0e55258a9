"""Sweeps after sweeps: known results are not computed again, and all results are the same bytes."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from residual_ensembles import data
from residual_ensembles.lesions import Lesion, SweepSettings, study_plan
from residual_ensembles.lesions.engine.evaluator import SweepSpec
from residual_ensembles.lesions.exactness import agreement, sequential_sampling
from residual_ensembles.lesions.sweep import PlannedNetwork, sweep
from residual_ensembles.runtime.executor import Serial
from residual_ensembles.runtime.result_cache import ResultCache
from residual_ensembles.storage.files import write_csv

NUMBERS = {"k": 2, "draws": 3, "swaps": 2, "duplications": 2}
REDUCED = pytest.mark.bfloat16


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared") / "digits"
    return data.prepare("digits", folder, limit_train=20, limit_test=300).split("test")


@pytest.fixture(autouse=True)
def small_sweeps(monkeypatch):
    """300 images would be one round, and half of the lesions be compared with the reference."""
    monkeypatch.setattr(agreement, "N_FIRST", 1)
    monkeypatch.setattr(sequential_sampling, "FIRST_ROUND", 64)
    monkeypatch.setattr(sequential_sampling, "ROUND", 32)


class Study:
    """Sweeps of some networks on a split, each into a folder of its own.

    Args:
        chains: The networks by name.
        split: Of prepared data.
        root: Where folders are.
        how: Settings of the sweeps.
    """

    def __init__(self, chains, split, root, **how):
        self.chains = chains
        self.split = split
        self.root = root
        self.how = SweepSettings(**how)
        self.kept = ResultCache(root / "kept")
        self.n_tasks = 0

    def run(self, cache=None, **numbers) -> dict[str, bytes]:
        """Returns the bytes of all that a sweep writes."""
        cache, executor = cache or self.kept, Serial()
        numbers = {**NUMBERS, "seed": self.how.seed, **numbers}
        networks = [
            PlannedNetwork(
                name, 0, chain, study_plan(chain, random=True, **numbers), cache.within(name)
            )
            for name, chain in self.chains.items()
        ]
        folder = self.root / "results"
        tables, exactness = sweep(networks, self.split, folder, executor, self.how)
        write_csv(folder / "lesions.csv", pd.concat(tables))
        write_csv(folder / "exactness.csv", pd.DataFrame(exactness))
        self.n_tasks = executor.nodes.total()
        return {path.name: path.read_bytes() for path in folder.rglob("*.*")}

    def fresh(self, **numbers) -> dict[str, bytes]:
        """Returns the same, of a sweep that knows nothing."""
        return self.run(ResultCache(), **numbers)

    def computed(self) -> Counter:
        """Returns how often each lesion was evaluated with each image, as it is kept."""
        files = [file for file in self.kept.folder.rglob("*.result")]
        caches = {file.parent for file in files}
        return Counter(
            (cache, key, int(i))
            for cache in caches
            for result in ResultCache(cache).results()
            for key in result.keys
            for i in result.images
        )


REDUCED_MARGIN = {"precision": "bfloat16", "ci_half_width": 0.1, "seed": 1}
WAYS = [
    pytest.param({}, id="float32"),
    pytest.param({"precision": "bfloat16", "seed": 1}, id="bfloat16", marks=REDUCED),
    pytest.param({"ci_half_width": 0.1}, id="margin"),
    pytest.param(REDUCED_MARGIN, id="both", marks=REDUCED),
]
CASCADES = [
    pytest.param({"precision": "cascade"}, id="cascade", marks=REDUCED),
    pytest.param({**REDUCED_MARGIN, "precision": "cascade"}, id="sampled", marks=REDUCED),
]


@pytest.mark.parametrize("how", WAYS)
def test_fewer_lesions_take_nothing_and_more_take_the_new_ones(chains, split, tmp_path, how):
    study = Study({"resnet": chains["resnet"]}, split, tmp_path, **how)
    full = study.run()
    assert study.n_tasks > 0
    assert full == study.fresh()
    known = study.computed()
    assert set(known.values()) == {1}

    smaller = study.run(k=1)
    assert study.n_tasks == 0
    assert smaller == study.fresh(k=1) != full

    larger = study.run(k=3, draws=4, duplications=3)
    assert study.n_tasks > 0
    assert larger == study.fresh(k=3, draws=4, duplications=3)
    assert study.run() == full
    assert study.n_tasks == 0
    after = study.computed()
    assert set(after.values()) == {1}  # nothing twice
    assert known.keys() < after.keys()


@pytest.mark.parametrize("how", CASCADES)
def test_a_cascade_after_another_is_that_of_a_fresh_run(chains, split, tmp_path, how):
    study = Study({"resnet": chains["resnet"]}, split, tmp_path, **how)
    full = study.run()
    assert full == study.fresh()
    assert study.run() == full
    assert study.n_tasks == 0
    for numbers in ({"k": 1}, {"k": 3, "draws": 4}):
        # Its thresholds are those of a plan: of one that knows other lesions, others.
        assert study.run(**numbers) == study.fresh(**numbers)
    assert study.run() == full
    assert study.n_tasks == 0


def test_another_half_width_begins_with_the_images_that_are_known(chains, split, tmp_path):
    study = Study({"resnet": chains["resnet"]}, split, tmp_path, ci_half_width=0.1)
    study.run()
    known = study.computed()
    study.how = SweepSettings(ci_half_width=0.14)
    assert study.run() == study.fresh()
    study.how = SweepSettings(ci_half_width=0.06)
    assert study.run() == study.fresh()
    after = study.computed()
    assert known.keys() < after.keys()


def test_another_network_takes_only_its_own_lesions(chains, split, tmp_path):
    study = Study({"resnet": chains["resnet"]}, split, tmp_path)
    study.run()
    alone = study.n_tasks
    study.chains = {"resnet": chains["resnet"], "highway": chains["highway"]}
    both = study.run()
    assert 0 < study.n_tasks < 2 * alone
    assert both == study.fresh()
    study.chains = {"resnet": chains["resnet"]}
    study.run()
    assert study.n_tasks == 0


@pytest.mark.parametrize(
    "other", [{"memory_bytes": 2**28}, {"batch_size": 32}, {"seed": 5}], ids=str
)
def test_other_settings_are_those_of_a_fresh_run(chains, split, tmp_path, other):
    study = Study({"resnet": chains["resnet"]}, split, tmp_path)
    study.run(k=1)
    study.how = SweepSettings(**other)
    assert study.run(k=1) == study.fresh(k=1)


@pytest.mark.parametrize("n_bytes", [0, 1, 50])
def test_a_damaged_file_costs_its_own_lesions(chains, split, tmp_path, n_bytes):
    study = Study({"resnet": chains["resnet"]}, split, tmp_path, batch_size=64)
    full = study.run()
    n_all = study.n_tasks
    files = sorted((tmp_path / "kept" / "resnet").glob("float32-*/*.result"))
    assert len(files) == 5  # 300 images by 60
    files[2].write_bytes(files[2].read_bytes()[:n_bytes])
    assert study.run() == full
    assert study.n_tasks == 1 < n_all
    assert study.run() == full
    assert study.n_tasks == 0


def test_what_is_left_of_a_write_does_no_harm(chains, split, tmp_path):
    study = Study({"resnet": chains["resnet"]}, split, tmp_path)
    full = study.run(k=1)
    (folder,) = (tmp_path / "kept" / "resnet").glob("float32-*")
    (folder / ".partial-abc.result").write_bytes(b"half")
    assert study.run(k=1) == full
    assert study.n_tasks == 0


def test_a_lesion_that_is_planned_twice_is_evaluated_once(resnet, split, tmp_path):
    plan = [Lesion(deletions=[2]), Lesion(), Lesion(deletions=[2])]
    network = PlannedNetwork(
        "one", 0, resnet, [*map(planned, plan)], ResultCache(tmp_path / "kept")
    )
    settings = SweepSettings(ci_half_width=0.2)
    (table,), _ = sweep([network], split, tmp_path, Serial(), settings)
    first, _, again = table.drop(columns="draw").to_dict("records")
    assert first == again


def planned(lesion):
    from residual_ensembles.lesions import PlannedLesion

    return PlannedLesion("single_deletion", 0, lesion)


@pytest.mark.parametrize("precision", ["float32", pytest.param("bfloat16", marks=REDUCED)])
@pytest.mark.parametrize("n", [40, 300])
def test_logits_do_not_depend_on_what_is_evaluated_beside_them(chain, split, precision, n):
    """What a sweep keeps is true of any other: of the same images to the last bit.

    Of a part of the images, batches have other sizes, for which AVX2 rounds otherwise.
    """
    numbers = NUMBERS if len(chain.modules) == 9 else {**NUMBERS, "swaps": 1}
    plan = [row.lesion for row in study_plan(chain, random=True, seed=0, **numbers)]
    images = split.images(slice(0, n))
    evaluator = SweepSpec(chain, plan, n).evaluator
    at_once = evaluator.logits(images, precision)
    for some in (slice(0, None, 7), slice(3, 4), slice(1, None, 2)):
        alone = evaluator.logits(images, precision, lesions=np.arange(len(plan))[some])
        np.testing.assert_array_equal(alone, at_once[some])
    few = np.arange(n)[3:30:2]
    apart = np.abs(evaluator.logits(images[few], precision) - at_once[:, few]).max()
    assert apart <= 1e-5 * np.abs(at_once).max()


def test_the_sample_of_a_larger_plan_contains_that_of_a_smaller_one(resnet, monkeypatch):
    monkeypatch.setattr(agreement, "N_FIRST", 4)

    def sample(seed=3, **numbers):
        numbers = {"k": 3, "draws": 6, "swaps": 3, "duplications": 3, **numbers}
        plan = study_plan(resnet, random=True, seed=0, **numbers)
        lesions = list(dict.fromkeys(row.lesion for row in plan))
        sampled = {lesions[i] for i in agreement.sampled_lesions(lesions, seed)}
        assert {*lesions[: agreement.N_FIRST]} <= sampled
        return sampled, len(lesions)

    (few, n_few), (many, n_many) = sample(draws=20), sample(draws=40)
    assert few < many
    for sampled, n in ((few, n_few), (many, n_many)):
        assert n / 16 < len(sampled) < n / 4
    for seed in range(20):
        assert sample(seed, k=1, draws=1, swaps=1, duplications=1)[0] <= sample(seed)[0]
    assert sample(4)[0] != sample(5)[0]
    assert len(agreement.sampled_lesions([Lesion(deletions=[i]) for i in (1, 2, 3)], 0)) == 3
