import pandas as pd

from residual_ensembles.analysis import read_tables
from residual_ensembles.report.network_rows import (
    exactness_rows,
    gate_rows,
    gradient_sums,
    half_gate_rows,
    network_rows,
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
