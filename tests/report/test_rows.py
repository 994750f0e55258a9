import json
import shutil

import pandas as pd

from residual_ensembles.analysis import read_tables
from residual_ensembles.report.rows import (
    exactness_rows,
    gate_rows,
    gradient_sums,
    half_gate_rows,
    network_rows,
    provenance_rows,
    results_table,
)


def test_a_row_for_each_network_and_seed(study_of_three_seeds):
    rows = network_rows(read_tables(study_of_three_seeds))
    assert len(rows) == 15
    assert rows[0].network == "resnet"
    assert [row.seed for row in rows[:3]] == [0, 1, 2]
    assert rows[0].model == "resnet-110"
    assert rows[0].training_time == "51 s"
    assert rows[0].n_images == "360"
    assert rows[0].run_file == "networks/resnet-0/run.json"
    assert rows[3].gating == "effective paths"


def test_without_run_files_there_are_dashes(study, tmp_path):
    pd.read_csv(study / "lesions.csv").to_csv(tmp_path / "lesions.csv", index=False)
    row = network_rows(read_tables(tmp_path))[0]
    assert (row.n_parameters, row.training_time, row.run_file) == ("–", "–", "")
    assert row.error.endswith("%")


def test_gates_before_and_after(study):
    before, after = gate_rows(read_tables(study))
    assert (before.when, after.when) == ("before", "after")
    assert before.bias == "−1"
    assert float(after.mean) < float(before.mean)
    assert float(after.lowest) <= float(after.mean) <= float(after.highest)


def test_networks_that_equal_a_highway_network(study_of_three_seeds):
    first, *_, last = half_gate_rows(read_tables(study_of_three_seeds))
    assert (first.network, first.seed, first.n_images, first.n_different) == (
        "resnet",
        0,
        "360",
        "0",
    )
    assert (last.seed, last.difference) == (2, "4e−06")


def test_how_well_gradients_add_up(study, tmp_path):
    result = gradient_sums(read_tables(study))
    assert "of 2 networks" in result
    assert "within 9e−07 of it, in each of 10 batches" in result
    pd.read_csv(study / "lesions.csv").to_csv(tmp_path / "lesions.csv", index=False)
    assert gradient_sums(read_tables(tmp_path)) == ""


def test_how_exact_the_lesions_are(study, tmp_path):
    row = exactness_rows(read_tables(study))[0]
    assert (row.n_lesions, row.compared, row.difference) == ("55", "0 of 64", "1.5e−06")
    assert (row.close, row.rounded, row.reevaluated) == ("2 (within 0.0001)", "–", "–")
    table = pd.read_csv(study / "exactness.csv").assign(
        precision="cascade",
        n_different=3,
        n_unexplained=1,
        n_rounded=1000,
        n_changed=7,
        n_reevaluated=300,
        n_threshold_violations=1,
    )
    table.to_csv(tmp_path / "exactness.csv", index=False)
    pd.read_csv(study / "lesions.csv").to_csv(tmp_path / "lesions.csv", index=False)
    row = exactness_rows(read_tables(tmp_path))[0]
    assert row.compared == "3 of 64, 1 unexplained"
    assert (row.rounded, row.reevaluated) == ("0.70\u202f% (7 of 1\u202f000)", "300, 1 beyond")


def test_what_made_the_study(study_of_three_seeds):
    rows = provenance_rows(read_tables(study_of_three_seeds))
    facts = dict(rows)
    assert facts["data set, title"] == "Digits (scikit-learn)"
    assert facts["revision"] == "0123456789ab"
    assert facts["versions, keras"] == "3.15.1"
    assert facts["hardware, cores"] == "2"
    assert facts["seeds"] == "0, 1, 2"
    assert len(rows) == len(facts)  # what all runs share is said once


def test_the_page_says_what_computed_the_tables(study, tmp_path):
    folder = shutil.copytree(study, tmp_path / "digits")
    facts = {"engine": "ray", "threads_of_a_task": 1, "tasks_by_node": {"a": 12, "b": 11}}
    (folder / "lesions_run.json").write_text(json.dumps({"revision": "0", **facts}))
    rows = provenance_rows(read_tables(folder))
    assert ("lesions, engine", "ray") in rows
    assert ("lesions, tasks_by_node.b", "11") in rows
    assert not [name for name, _ in rows if name.startswith("path gradients,")]


def test_markdown_has_the_numbers_of_the_table(study):
    tables = read_tables(study)
    lines = results_table(tables).splitlines()
    assert len(lines) == 2 + len(tables.networks)
    lesions = pd.read_csv(study / "lesions.csv")
    resnet = lesions[lesions.network == "resnet"]
    intact = resnet[resnet.sweep == "intact"].iloc[0]
    ten = (
        100
        * resnet[(resnet.sweep == "random_deletion") & (resnet.n_operations == 10)].error_fraction
    )
    row = next(line for line in lines if line.startswith("| `resnet` |"))
    assert f"| {100 * intact.error_fraction:.2f} ({100 * intact.error_low:.2f}–" in row
    assert f"| {ten.mean():.1f} ± {ten.std():.1f} (n={len(ten)}) |" in row
    single = resnet[resnet.sweep == "single_deletion"]
    worst = single.loc[single.error_fraction.idxmax()]
    assert f"({worst.lesion.removeprefix('delete ')}) |" in row
    vgg = next(line for line in lines if line.startswith("| `vgg` |"))
    assert vgg.endswith("| – | – |")


def test_several_seeds_count_once_each_in_markdown(study_of_three_seeds):
    tables = read_tables(study_of_three_seeds)
    row = next(line for line in results_table(tables).splitlines() if "`resnet`" in line)
    rows = tables.sweep("resnet", "random_deletion")
    means = 100 * rows[rows.n_operations == 10].groupby("seed").error_fraction.mean()
    assert f"| {means.mean():.1f} ± {means.std():.1f} (n=3 seeds) |" in row
