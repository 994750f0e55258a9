"""What the committed studies decide, set side by side."""

import pandas as pd
import pytest

from pipelines import publish
from residual_ensembles.analysis import claims_table, read_tables
from residual_ensembles.report import evidence
from residual_ensembles.report.key_results import COUNTED
from residual_ensembles.storage.files import write_csv
from residual_ensembles.storage.imports import ROOT

FOLDERS = evidence.folders()


@pytest.fixture
def studies(claims):
    """Two studies: the second has measured claim 1 on three networks, and little else."""
    rows = claims[claims.id == "1"]
    several = pd.concat(
        [
            rows.assign(network="resnet20", verdict="not reproduced", measured=0.3),
            rows.assign(network="resnet32", verdict="not reproduced", measured=0.1),
            rows.assign(network="resnet56", verdict="inconclusive", measured=0.02),
            claims[claims.id.isin(["13b", "23b"])].assign(verdict="not tested"),
        ]
    )
    return [
        evidence.StudyVerdicts("a", "Digits", claims),
        evidence.StudyVerdicts("b", "CIFAR-10", several),
    ]


def test_there_is_a_row_for_each_claim_that_a_study_can_change(studies):
    rows = {row.id: row for row in evidence.claim_rows(studies)}
    assert COUNTED.isdisjoint(rows)
    first, second = rows["1"].cells
    assert [each.verdict for each in first] == ["reproduced"]
    assert [each.network for each in second] == ["resnet20", "resnet32", "resnet56"]
    assert rows["13b"].cells[1] == rows["21a"].cells[0] == []


def test_what_no_study_decides_is_named(studies):
    rows = evidence.claim_rows(studies)
    rest = [row.id for row in rows if not row.is_decided]
    assert {"15a", "17", "21a"} <= set(rest)
    assert not {"1", "13b"} & set(rest)
    assert evidence.summary(rows).endswith(f"No study decides {', '.join(rest)}.")
    assert evidence.summary([row for row in rows if row.is_decided]).endswith("a study or more.")


def test_the_markdown_names_networks_where_there_are_several(studies):
    table = evidence.markdown(studies).splitlines()
    assert table[0] == "|  | claim | `a`: Digits | `b`: CIFAR-10 |"
    (row,) = [line for line in table if line.startswith("| 1 |")]
    assert row.endswith(
        "✗ 30.00\u202fpoints `resnet20`<br>✗ 10.00\u202fpoints `resnet32`<br>"
        "? 2.00\u202fpoints `resnet56` |"
    )
    assert "5 hold, 2 do not." in table[-1]
    assert " to " in evidence.markdown(studies, with_intervals=True).splitlines()[2]


def test_short_paths_are_told_under_each_reading(studies):
    text = evidence.short_paths(studies)
    assert "1 of 1 by mean norm of a path times number of paths" in text
    assert "1 of 1 by projections" in text
    (row,) = [line for line in text.splitlines() if line.startswith("| `a`: Digits | `resnet` |")]
    assert "\u2713 16.67\u202f% (16.67 to 18.52)<br>" in row
    assert "30.00\u202f%" in row
    assert "CIFAR-10" not in text


def test_without_a_repository_there_are_none(tmp_path):
    assert evidence.folders(tmp_path / "docs/results") == []
    assert evidence.markdown([]) == "No study is committed yet."
    assert evidence.short_paths([]) == ""


@pytest.mark.parametrize("n_bytes", [0, -1, -100])
def test_damaged_claims_are_named(claims, tmp_path, n_bytes):
    path = tmp_path / "claims.csv"
    write_csv(path, claims)
    assert len(evidence.read(tmp_path).claims) == len(claims)
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(ValueError, match=r"claims\.csv"):
        evidence.read(tmp_path)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_committed_claims_follow_from_committed_tables(folder):
    kept = evidence.read(folder).claims
    anew = claims_table(read_tables(folder))
    columns = [name for name in kept.columns if name != "note"]  # has rounded numbers within
    message = f"{folder.name}: python -m pipelines.publish decides it anew"
    pd.testing.assert_frame_equal(
        kept[columns], anew[columns], check_dtype=False, rtol=1e-6, atol=1e-12, obj=message
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_committed_study_is_complete(folder):
    tables = read_tables(folder)
    assert tables.runs
    for run in tables.runs:
        assert run.facts.get("revision"), f"{run.network}-{run.seed}/run.json"
        assert tables.wrong(run.network, run.seed) is not None
    for name in ("params.yaml", "lesions_run.json", "metrics.json"):
        assert (folder / name).exists(), name
    own = set(folder.rglob("*.*"))
    known = {path for pattern in publish.FILES for path in folder.glob(pattern)}
    known |= {path for pattern in publish.FILES for path in folder.glob(pattern + ".gz")}
    known |= {folder / name for name in ("params.yaml", "claims.csv", "metrics.json")}
    known |= set(folder.glob(publish.EXPLORER + "*"))
    assert own - known - set(folder.glob("predictions/*.npz")) == set()


def test_the_readme_has_the_table_that_the_command_prints():
    readme = (ROOT / "README.md").read_text()
    assert publish.with_table(readme, evidence.markdown(evidence.read_all())) == readme, (
        "to be written anew: python -m pipelines.publish"
    )
    assert len(readme.splitlines()) <= 150


def test_the_list_of_results_is_not_stale():
    about = publish.about(evidence.COMMITTED)
    assert (evidence.COMMITTED / "README.md").read_text() == about, (
        "to be written anew: python -m pipelines.publish"
    )
