"""What is committed of a study decides the same claims, and is shown in README and docs."""

import re
import shutil

import pandas as pd
import pytest
import yaml

from pipelines import publish
from residual_ensembles import analysis
from residual_ensembles.report import evidence
from residual_ensembles.storage.files import read_npz
from tests.helpers import programs, small_studies

SAYS = "A sentence on what differs."


@pytest.fixture(scope="module")
def project(study, tmp_path_factory):
    """A folder with a finished study, results/tiny, and a README, where the program was run."""
    folder = tmp_path_factory.mktemp("project")
    results = small_studies.write(folder, differs=SAYS)
    shutil.copytree(study, results, dirs_exist_ok=True)
    (results / "report.html").write_text("")
    (results / "explorer.html").write_text("runs a ResNet")
    (results / "networks/resnet-0/model.keras").write_text("weights")
    (folder / "README.md").write_text("Before.\n<!-- results -->\nold\n<!-- /results -->\nAfter.\n")
    programs.succeed("pipelines.publish", "--studies=results/tiny", folder=folder)
    return folder


@pytest.fixture(scope="module")
def committed(project):
    return project / "docs/results/tiny"


def test_claims_follow_from_what_is_kept(project, committed, claims):
    kept = evidence.read(committed).claims
    pd.testing.assert_frame_equal(kept, claims, check_dtype=False)
    assert yaml.safe_load((committed / "params.yaml").read_text())["differs"] == SAYS


def test_weights_and_pages_are_left_out(committed):
    names = {path.relative_to(committed).as_posix() for path in committed.rglob("*.*")}
    assert {"lesions.csv", "networks/resnet-0/run.json", "predictions/resnet-0.npz"} <= names
    assert not [name for name in names if name.endswith((".keras", "report.html", ".svg"))]


def test_the_explorer_is_kept_where_it_runs_a_network(project, committed, tmp_path):
    assert (committed / "explorer.html").read_text() == "runs a ResNet"
    shutil.copytree(project, tmp_path, dirs_exist_ok=True)
    results = tmp_path / "results/tiny"
    for path in results.glob("networks/*/run.json"):
        path.write_text(re.sub(r'"model": "\w+"', '"model": "keras:own.keras"', path.read_text()))
    folder = publish.publish(results, tmp_path / "committed")
    assert not (folder / "explorer.html").exists()


def test_predictions_of_single_deletions_alone_are_kept(project, committed):
    rows = analysis.read_tables(committed).lesions
    single = rows.sweep[rows.network == "resnet"].isin(["intact", "single_deletion"]).to_numpy()
    before = read_npz(project / "results/tiny/predictions/resnet-0.npz")
    kept = read_npz(committed / "predictions/resnet-0.npz")
    assert (kept["predictions"][single] == before["predictions"][single]).all()
    assert (kept["predictions"][~single] == -1).all()
    assert (kept["labels"] == before["labels"]).all()


def test_the_readme_and_the_list_of_results_are_written(project, committed):
    readme = (project / "README.md").read_text()
    table = evidence.markdown(evidence.read_all(project / "docs/results"))
    assert readme == f"Before.\n<!-- results -->\n{table}\n<!-- /results -->\nAfter.\n"
    about = (project / "docs/results/README.md").read_text()
    for words in (
        "## tiny",
        SAYS,
        "0123456789ab",
        "A processor, 2 cores",
        "cp docs/results/tiny/params.yaml . && dvc repro",
        "4 min",
    ):
        assert words in about


def test_large_tables_are_compressed_and_read(study, tmp_path, monkeypatch):
    monkeypatch.setattr(publish, "LARGE", 1000)
    results = small_studies.write(tmp_path)
    shutil.copytree(study, results, dirs_exist_ok=True)
    (results / "report.html").write_text("")
    folder = publish.publish(results, tmp_path / "committed")
    assert (folder / "lesions.csv.gz").exists()
    assert not (folder / "lesions.csv").exists()
    before, kept = analysis.read_tables(results), analysis.read_tables(folder)
    pd.testing.assert_frame_equal(before.lesions, kept.lesions)
    content = (folder / "lesions.csv.gz").read_bytes()
    publish.publish(results, tmp_path / "committed")
    assert (folder / "lesions.csv.gz").read_bytes() == content  # the same bytes each time


@pytest.mark.parametrize("missing", ["page", "parameters"])
def test_an_unfinished_study_and_one_of_another_name_are_refused(study, tmp_path, missing):
    results = small_studies.write(tmp_path)
    shutil.copytree(study, results, dirs_exist_ok=True)
    if missing == "parameters":
        (results / "report.html").write_text("")
        results = results.rename(results.with_name("other"))
    with pytest.raises(ValueError, match="results/tiny" if missing == "page" else r"params\.yaml"):
        publish.publish(results, tmp_path / "committed")
    assert not (tmp_path / "committed").exists()


def test_without_a_study_a_sentence_says_so(tmp_path):
    (tmp_path / "README.md").write_text("<!-- results -->\n<!-- /results -->\n")
    programs.succeed("pipelines.publish", folder=tmp_path)
    assert "No study is committed yet." in (tmp_path / "README.md").read_text()
    assert (tmp_path / "docs/results/README.md").read_text().startswith("# Results\n")
