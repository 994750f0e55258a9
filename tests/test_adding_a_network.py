"""Adding a network is one builder and one line: every stage of a study then knows it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from residual_ensembles.models import architectures, registry
from residual_ensembles.storage import imports
from tests.helpers import resnext_study, small_studies


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results of a study of a small ResNeXt."""
    folder = tmp_path_factory.mktemp("resnext")
    result = small_studies.write(
        folder,
        network={"resnext": {"model": "resnext", "depth": 20}},
        networks=["resnext"],
        data={"limit_train": 200, "limit_test": 40},
        train={"epochs": 1, "batch_size": 50},
        ensemble={"members": 0},
        lesion={"networks": ["resnext"], "k": 2, "draws": 1, "swaps": 1, "duplications": 1},
        paths={"networks": ["resnext"], "samples": 2, "batches": 1, "batch_size": 4},
    )
    for stage in resnext_study.STAGES:
        done = subprocess.run(
            [sys.executable, "-m", "tests.helpers.resnext_study", stage],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(imports.ROOT)},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
    return result


@pytest.mark.slow
def test_every_stage_knows_it(results):
    lesions = pd.read_csv(results / "lesions.csv")
    singles = lesions[lesions["sweep"] == "single_deletion"]
    assert set(lesions["network"]) == {"resnext"}
    assert len(singles) == 9
    assert {"reorder", "random_deletion_sparing"} <= set(lesions["sweep"])
    run = json.loads((results / "networks" / "resnext-0" / "run.json").read_text())
    assert (run["model"], run["n_modules"], run["downsampling"]) == ("resnext", 9, [4, 7])
    gradients = pd.read_csv(results / "path_gradients.csv")
    shares = gradients[(gradients["epoch"] == 1) & (gradients["estimator"] == "exact")]
    assert shares["share_projected"].sum() == pytest.approx(len(set(shares["target"])), abs=1e-4)


@pytest.mark.slow
def test_figures_and_pages_show_it(results):
    figure = (results / "figures" / "fig3_single_deletion.svg").read_text()
    assert "resnext" in figure
    assert "resnext" in (results / "report.html").read_text()
    explorer = (results / "explorer.html").read_text()
    # It has convolutions in groups, which the page says that it cannot run.
    assert "ResNeXt-20 is not in this page. Received module 1" in explorer


def test_its_line_alone_says_what_is_known_before_it_is_built(build, monkeypatch):
    monkeypatch.setitem(architectures.ARCHITECTURES, "resnext", resnext_study.RESNEXT)
    chain = build("resnext", 20)
    assert chain.name == "resnext20"
    assert architectures.n_modules("resnext", 20) == len(chain.modules) == 9
    assert architectures.n_noncritical_modules("resnext", 20) == 6
    assert architectures.is_reorderable("resnext", 20)
    groups = [layer.groups for layer in chain.modules[0].transform.layers[2::3]]
    assert groups == [1, resnext_study.CARDINALITY, 1]


def test_changes_of_builders_make_results_anew():
    """What a fingerprint is of is read off imports, and addresses are none."""
    known = imports.imported(Path(registry.__file__))
    for name, each in architectures.ARCHITECTURES.items():
        module = each.builder.partition(":")[0]
        assert imports.file_of(module) in known, name
