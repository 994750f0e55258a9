"""The pipeline with real DVC, on a tiny study."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image


def ran(printed: str) -> list[str]:
    """Returns the stages that were computed."""
    return re.findall(r"Running stage '([^']+)'", printed)


def changed(clone) -> set[str]:
    """Returns the stages whose code or parameters are no longer those of their results.

    What follows from them is not among them: DVC compares it once they have run.
    """
    status = clone.run("dvc", "status", "--json")
    return set(json.JSONDecoder().raw_decode(status, status.index("{"))[0])


AFTER_LESIONS = ["lesion_study", "figures", "report"]


def test_from_images_to_page(clone):
    results = clone.folder / "results/tiny"
    lesions = pd.read_csv(results / "lesions.csv")
    assert set(lesions["network"]) == {"resnet", "vgg"}
    assert set(lesions["sweep"]) == {
        "intact",
        "single_deletion",
        "random_deletion",
        "random_deletion_sparing",
        "reorder",
        "single_duplication",
        "random_duplication",
    }
    assert set(lesions["n_images"]) == {40}
    gradients = pd.read_csv(results / "path_gradients.csv")
    assert {"sampled", "exact"} <= set(gradients["estimator"])
    votes = pd.read_csv(results / "ensemble.csv")
    assert votes["members"].astype(str).tolist() == 2 * ["1"]
    claims = pd.read_csv(results / "claims.csv")
    assert set(claims["verdict"]) <= {
        "reproduced",
        "not reproduced",
        "inconclusive",
        "not tested",
    }
    page = (results / "report.html").read_text()
    assert "Digits (scikit-learn)" in page
    assert 'href="explorer.html"' in page
    assert "ResNet-20</span>" in (results / "explorer.html").read_text()
    for number in range(1, 9):
        assert list((results / "figures").glob(f"fig{number}_*.svg"))
        assert list((results / "figures").glob(f"fig{number}_*.png"))
    run = json.loads((results / "networks/resnet-0/run.json").read_text())
    intact = lesions[(lesions["network"] == "resnet") & (lesions["sweep"] == "intact")]
    assert intact["error_fraction"].item() == pytest.approx(run["test_error_fraction"])


def test_networks_are_trained_in_parallel(clone):
    for name in ("resnet-0", "vgg-0", "member1-0"):
        assert f"\n{name}: 1/1 - " in clone.first_run
    assert ran(clone.first_run).count("train") == 1
    log = clone.folder / "results/tiny/networks/resnet-0/live/plots/metrics/error_fraction.tsv"
    assert len(log.read_text().splitlines()) == 2


def test_the_cost_of_each_program_is_saved(clone):
    cost = pd.read_csv(clone.folder / "results/tiny/cost.csv").set_index("program")
    assert {"pipelines.train", "pipelines.lesion_study", "pipelines.report"} <= set(cost.index)
    assert (cost.drop("DVC and the rest") > 0).all(axis=None)
    for column in ("seconds", "processor_seconds"):
        assert cost[column].drop("total").sum() == pytest.approx(cost.loc["total", column], abs=1)
        assert cost.loc["DVC and the rest", column] > 0
    assert re.search(r"^ *total +[0-9.]+ +[0-9.]+ +[0-9.]+$", clone.first_run, re.MULTILINE)


def test_a_second_run_runs_nothing(clone):
    assert ran(clone.run("dvc", "repro")) == []


def test_another_color_concerns_figures_and_page(clone):
    style = clone.folder / "residual_ensembles/figures/style.py"
    text = style.read_text()
    style.write_text(text + "\n# another color\n")
    assert changed(clone) == {"figures", "report"}
    style.write_text(text)
    assert changed(clone) == set()


def test_another_network_concerns_what_is_computed_from_networks(clone):
    clone.run("python", "-m", "pipelines.compose", "networks=[resnet,vgg,highway]")
    result = changed(clone)
    clone.run("git", "checkout", "--quiet", "--", "params.yaml")
    networks = {"train", "lesion_study", "path_gradients", "explorer"}
    assert result == {"check", "report"} | networks  # these two read all parameters


def test_another_k_runs_the_lesions_and_what_follows(clone):
    before = pd.read_csv(clone.folder / "results/tiny/lesions.csv")
    printed = clone.run("dvc", "exp", "run", "-S", "lesion.k=3")
    assert "check" in ran(printed)
    assert "prepare" not in ran(printed)
    assert "train" not in ran(printed)
    assert "ensemble" not in ran(printed)
    assert "path_gradients" not in ran(printed)
    assert "explorer" not in ran(printed)
    assert [s for s in ran(printed) if s != "check"] == AFTER_LESIONS
    after = pd.read_csv(clone.folder / "results/tiny/lesions.csv")
    # A draw depends on (seed, k, draw): no earlier row has changed.
    merged = before.merge(after, how="left", indicator=True)
    assert (merged["_merge"] == "both").all()
    assert len(after) > len(before)


def test_wrong_parameters_stop_everything(clone):
    printed = clone.run("dvc", "exp", "run", "-S", "lesion.k=9", succeeds=False)
    assert re.search(r"error: Received lesion\.k=9 for resnet, .* 6 may be deleted", printed)
    assert ran(printed) == ["check"]
    assert "Traceback" not in printed
    clone.run("git", "checkout", "--quiet", "--", "params.yaml", "dvc.lock")


def test_another_study_and_back_computes_nothing_twice(clone):
    printed = clone.run("dvc", "exp", "run", "train", "-S", "study=tiny2")
    assert "\nresnet-0: already finished" in printed
    assert "\nhighway-0: 1/1 - " in printed
    assert (clone.folder / "results/tiny2/networks/highway-0/model.keras").exists()
    printed = clone.run("dvc", "exp", "run", "-S", "study=tiny")
    assert ran(printed) == []


def test_what_dvc_shows(clone):
    assert "resnet" in clone.run("dvc", "metrics", "show")
    shown = re.search(r"file://(\S+)", clone.run("dvc", "plots", "show"))
    page = Path(shown.group(1)).read_text()
    for title in ("while training", "one module deleted", "several modules deleted"):
        assert title in page
    assert '"network": "vgg"' in page
    assert "lesion.k" in clone.run("dvc", "exp", "show", "--csv")


@pytest.mark.slow
def test_queue_and_temp(clone):
    clone.commit("before the queue")
    clone.run("dvc", "exp", "run", "--queue", "-S", "lesion.k=1,2")
    printed = clone.run("dvc", "exp", "run", "--run-all")
    assert "failed" not in printed.lower()
    clone.run("dvc", "exp", "run", "--temp", "-S", "lesion.draws=1")
    shown = clone.run("dvc", "exp", "show", "--csv")
    assert shown.count("\n") >= 4


@pytest.mark.slow
def test_push_and_pull(clone, tmp_path):
    clone.run("dvc", "repro")
    clone.run("dvc", "remote", "add", "--local", "--default", "here", str(tmp_path))
    clone.run("dvc", "push")
    page = clone.folder / "results/tiny/report.html"
    content = page.read_bytes()
    page.unlink()
    clone.run("dvc", "pull")
    assert page.read_bytes() == content


@pytest.mark.slow
def test_a_folder_of_jpeg_images(clone, tmp_path):
    names = ["bird", "cat", "deer", "dog", "frog"]
    random = np.random.default_rng(0)
    for split, count in (("train", 30), ("test", 6)):
        for name in names:
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = random.integers(0, 256, (32, 32, 3)).astype("uint8")
                Image.fromarray(pixels).save(tmp_path / split / name / f"{i:04d}.jpg")
    overrides = {
        "study": "cifar10_jpeg",
        "data.source": f"folder:{tmp_path}",
        "data.limit_train": 100,
        "networks": "[resnet]",
        "network.resnet.depth": 20,
        "seeds": "[0]",
        "train.epochs": 1,
        "train.batch_size": 50,
        "train.snapshots": "[0,1]",
        "ensemble.members": 0,
        "lesion.k": 2,
        "lesion.swaps": 2,
        "lesion.duplications": 2,
        "lesion.draws": 2,
        "paths.samples": 2,
        "paths.batches": 1,
    }
    flags = [word for name, value in overrides.items() for word in ("-S", f"{name}={value}")]
    clone.run("dvc", "exp", "run", *flags)
    results = clone.folder / "results/cifar10_jpeg"
    assert "CIFAR-10 (JPEG)" in (results / "report.html").read_text()
    assert set(pd.read_csv(results / "lesions.csv")["n_images"]) == {30}
    assert pd.read_csv(results / "ensemble.csv").empty
    clone.run("git", "checkout", "--quiet", "--", "params.yaml", "dvc.lock")
