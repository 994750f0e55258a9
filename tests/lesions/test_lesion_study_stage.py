"""`python -m pipelines.lesion_study` as the pipeline calls it."""

import json
import os
import re
import shutil
import time

import numpy as np
import pandas as pd
import pytest

from residual_ensembles import models
from residual_ensembles.analysis.tables import EXACTNESS_COLUMNS
from residual_ensembles.lesions import Lesion, reference_logits, study_plan
from residual_ensembles.lesions.exactness import ties
from residual_ensembles.lesions.table import COLUMNS
from residual_ensembles.storage import files
from tests.helpers import programs, small_studies

N_IMAGES = 400
NUMBERS = {"k": 3, "swaps": 3, "duplications": 2, "draws": 3, "seed": 1}


@pytest.fixture(scope="module")
def study(tmp_path_factory, chains):
    """A prepared folder whose test split has random images, and two trained networks."""
    folder = tmp_path_factory.mktemp("study")
    random = np.random.default_rng(0)
    (folder / "data").mkdir()
    for split, n in {"train": 10, "validation": 0, "test": N_IMAGES}.items():
        images = random.integers(0, 256, (n, 8, 8, 1)).astype(np.uint8)
        np.save(folder / "data" / f"{split}_images.npy", images)
        np.save(folder / "data" / f"{split}_labels.npy", random.integers(0, 10, n).astype(np.int32))
    meta = {
        "format": 2,
        "name": "noise",
        "title": "Noise",
        "class_names": [str(i) for i in range(10)],
        "image_shape": [8, 8, 1],
        "shorter_side": None,
        "storage": "arrays",
        "mean": [120.0],
        "std": [70.0],
        "checksum": "0" * 64,
        "augmentation": {"kind": "none", "padding": 0, "flip": False},
        "description": {},
    }
    (folder / "data" / "meta.json").write_text(json.dumps(meta))
    files.write_manifest(folder / "data", [path.name for path in (folder / "data").iterdir()])
    for name in ("resnet", "vgg"):
        models.save(chains[name], folder / "networks" / f"{name}-4" / "model.keras")
    return folder


def project(study, output, **lesion):
    """A folder to run the stage in, with the data and the networks."""
    changes = {"network": {"resnet": {"depth": 20}, "vgg": {"model": "vgg", "depth": 15}}}
    changes |= {"networks": ["resnet", "vgg"], "seeds": [4], "lesion": {**NUMBERS, **lesion}}
    small_studies.write(study / output, study / "data", study / "networks", **changes)
    return study / output


def environment(study):
    return {**os.environ, "RESIDUAL_ENSEMBLES_CHECKPOINTS": str(study / "checkpoints")}


def started(study, output, n_processors=1, **lesion):
    folder = project(study, output, **lesion)
    options = {"folder": folder, "n_processors": n_processors, **environment(study)}
    return programs.Program("pipelines.lesion_study", **options)


def run(*arguments, **options):
    return started(*arguments, **options).finish()


def place(study, output):
    return study / output / "results" / small_studies.NAME


def results(study, output):
    return {
        path.name: path.read_bytes()
        for path in place(study, output).rglob("*")
        if path.suffix in (".csv", ".npz")
    }


def n_computed(study, output):
    """How many tasks a run computed."""
    facts = json.loads((place(study, output) / "lesions_run.json").read_text())
    return sum(facts["tasks_by_node"].values())


@pytest.fixture(scope="module")
def finished(study):
    done = run(study, "whole", n_processors=2, batch_size=32)
    assert done.returncode == 0, done.stderr
    return done


def test_the_table_has_a_row_for_each_lesion(study, finished, resnet):
    table = pd.read_csv(place(study, "whole") / "lesions.csv")
    assert tuple(table.columns) == COLUMNS
    plan = study_plan(resnet, random=True, **NUMBERS)
    rows = table[table["network"] == "resnet"]
    assert [Lesion.parse(text) for text in rows["lesion"]] == [row.lesion for row in plan]
    assert rows["sweep"].tolist() == [row.sweep for row in plan]
    assert set(table[table["network"] == "vgg"]["sweep"]) == {"intact", "single_deletion"}
    assert set(table["seed"]) == {4}
    assert set(table["n_images"]) == {N_IMAGES}
    assert f"{len(table)} lesions: " in finished.stdout.splitlines()[-1]


def test_predictions_are_those_of_the_reference(study, finished, resnet):
    with np.load(place(study, "whole") / "predictions" / "resnet-4.npz") as result:
        predictions, labels = result["predictions"], result["labels"]
    images = np.load(study / "data" / "test_images.npy")
    plan = [row.lesion for row in study_plan(resnet, random=True, **NUMBERS)]
    reference = np.stack(list(reference_logits(resnet, plan, images)))
    exactness = pd.read_csv(place(study, "whole") / "exactness.csv")
    certain = ties.relative_top2_margin(reference) > exactness["rounding"][0]
    assert certain.mean() > 0.99
    np.testing.assert_array_equal(predictions[certain], reference.argmax(-1)[certain])
    table = pd.read_csv(place(study, "whole") / "lesions.csv")
    n_wrong = table[table["network"] == "resnet"]["n_wrong"]
    np.testing.assert_array_equal(n_wrong, (predictions != labels).sum(axis=1))


def test_exactness_is_printed(finished):
    (line,) = [line for line in finished.stdout.splitlines() if line.startswith("vgg-4")]
    assert "13 lesions, 400 images; " in line
    assert re.search("0 of [0-9]+ differ from the reference on a sample", line)


def test_exactness_is_written(study, finished):
    table = pd.read_csv(place(study, "whole") / "exactness.csv")
    assert table.columns.tolist() == EXACTNESS_COLUMNS
    assert table["network"].tolist() == ["resnet", "vgg"]
    assert (table["n_predictions"] == table["n_lesions"] * N_IMAGES).all()
    assert (table["n_compared"] >= 16 * 4).all()
    assert set(table["n_different"]) == {0}
    assert set(table["n_unexplained"]) == {0}
    assert set(table["n_rounded"]) == {0}


def test_the_residual_network_equals_a_highway_network(study, finished):
    (row,) = pd.read_csv(place(study, "whole") / "half_gates.csv").itertuples(index=False)
    assert (row.network, row.seed, row.n_images) == ("resnet", 4, N_IMAGES)
    assert row.largest_relative_difference < 1e-5
    assert row.n_different == 0


def kept(study):
    """Files of results of lesions that are whole."""
    return list((study / "checkpoints" / "lesions").rglob("[!.]*.result"))


def test_only_complete_results_are_left(study, finished):
    files = {path for path in (study / "checkpoints").rglob("*") if path.is_file()}
    (half_gates,) = (study / "checkpoints" / "half_gates").rglob("*.result")
    assert files == {*kept(study), half_gates}
    # 400 images by 31 of each network, and a comparison with the reference.
    assert len(kept(study)) == n_computed(study, "whole") == 2 * (13 + 1)


def test_cached_results_are_not_computed_again(study, finished):
    done = run(study, "again", batch_size=32)
    assert done.returncode == 0, done.stderr
    assert results(study, "again") == results(study, "whole")
    assert n_computed(study, "again") == 0
    less = run(study, "less", batch_size=32, k=2, draws=2)
    assert less.returncode == 0, less.stderr
    assert n_computed(study, "less") == 0


def test_a_killed_and_resumed_sweep_ends_in_the_same_bytes(study, finished):
    shutil.rmtree(study / "checkpoints")
    process = started(study, "killed", batch_size=32)
    deadline = time.monotonic() + 120
    while len(list((study / "checkpoints").rglob("float32-*/[!.]*.result"))) < 2:
        assert process.runs
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    left = kept(study)
    assert len(left) >= 2
    assert not results(study, "killed").get("lesions.csv")
    done = run(study, "killed", batch_size=32)
    assert done.returncode == 0, done.stderr
    assert results(study, "killed") == results(study, "whole")
    # What was finished is found, not computed again.
    assert n_computed(study, "killed") == n_computed(study, "whole") - len(left)


def test_two_programs_at_once_do_not_disturb_each_other(study, finished):
    shutil.rmtree(study / "checkpoints")
    both = [started(study, output, batch_size=32) for output in ("first", "second")]
    for process in both:
        done = process.finish()
        assert done.returncode == 0, done.stderr
    assert results(study, "first") == results(study, "second") == results(study, "whole")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lesion": {"k": 7}}, "Received lesion.k=7 for resnet, of whose modules 6 may be deleted"),
        ({"seeds": [5]}, "resnet-5"),
    ],
)
def test_impossible_studies_are_refused_in_one_line(study, tmp_path, change, message):
    results = small_studies.write(tmp_path, study / "data", study / "networks", **change)
    done = programs.run("pipelines.lesion_study", folder=tmp_path, **environment(study))
    assert done.returncode != 0
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (results / "lesions.csv").exists()
