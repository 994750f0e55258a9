import dataclasses
import json
import math
import shutil

import numpy as np
import pandas as pd
import pytest

from residual_ensembles.analysis import CLAIMS, claims_table, read_tables
from residual_ensembles.analysis.claims import VERDICTS
from residual_ensembles.analysis.claims.claim import (
    NoSignificantDifference,
    above,
    at_least,
    at_most,
    below,
    between,
)
from residual_ensembles.analysis.claims.comparisons import intact_wrong
from residual_ensembles.analysis.tables import Tables
from residual_ensembles.statistics.intervals import Estimate, exact
from residual_ensembles.statistics.paired import difference_interval, discordant, mcnemar
from tests.helpers.synthetic_study import write_study

COLUMNS = [
    *("id", "claim", "source", "network", "paper_value", "measured"),
    *("low", "high", "n", "rule", "verdict"),
]


def decided(tables, *ids):
    """Returns the claims of some ids, by id; `tables`, or the folder of a study."""
    tables = tables if isinstance(tables, Tables) else read_tables(tables)
    return claims_table(tables, [claim for claim in CLAIMS if claim.id in ids]).set_index("id")


def estimate(low, high, over="images"):
    return Estimate((low + high) / 2, low, high, 10, over)


@pytest.mark.parametrize(
    ("target", "low", "high", "verdict"),
    [
        (at_most(0.02), 0.0, 0.02, "reproduced"),
        (at_most(0.02), 0.01, 0.03, "inconclusive"),
        (at_most(0.02), 0.021, 0.03, "not reproduced"),
        (at_least(0.9), 0.9, 1.0, "reproduced"),
        (at_least(0.9), 0.8, 0.95, "inconclusive"),
        (at_least(0.9), 0.7, 0.8, "not reproduced"),
        (above(0), 0.0, 0.0, "not reproduced"),
        (above(0), 0.001, 0.1, "reproduced"),
        (below(1), 1.0, 1.0, "not reproduced"),
        (between(0.15, 0.25), 0.16, 0.24, "reproduced"),
        (between(0.15, 0.25), 0.1, 0.3, "inconclusive"),
        (between(0.15, 0.25), 0.26, 0.3, "not reproduced"),
        (between(0.15, 0.25), math.nan, math.nan, "inconclusive"),
        (NoSignificantDifference(0.1), -0.1, 0.1, "reproduced"),
        (NoSignificantDifference(0.1), -0.2, 0.1, "inconclusive"),
        (NoSignificantDifference(0.1), 0.01, 0.05, "not reproduced"),
        (NoSignificantDifference(0.1), math.nan, 0.1, "inconclusive"),
    ],
)
def test_rules_look_at_the_interval(target, low, high, verdict):
    assert target.verdict(estimate(low, high)) == verdict


def test_all_claims_are_there():
    ids = [claim.id for claim in CLAIMS]
    assert len(ids) == len(set(ids))
    assert {int(id.rstrip("abc")) for id in ids} == set(range(1, 24))


def test_every_claim_is_declared_in_full():
    for claim in CLAIMS:
        assert claim.statement.endswith(".")
        assert claim.measure
        assert claim.settle
        assert claim.target.rule in claim.rule
        assert ("one seed" in claim.rule) == claim.of_training


def test_the_table_has_the_columns_that_others_rely_on(claims):
    table = claims
    assert list(table.columns[: len(COLUMNS)]) == COLUMNS
    assert set(table.verdict) <= set(VERDICTS)
    assert set(table.id) == {claim.id for claim in CLAIMS}
    interval = table.dropna(subset=["low", "high"])
    assert (interval.low <= interval.measured + 1e-9).all()
    assert (interval.measured <= interval.high + 1e-9).all()


def test_one_seed_reproduces_no_way_of_training(claims):
    of_training = {claim.id for claim in CLAIMS if claim.of_training}
    assert of_training >= {"15a", "15b", "17", "18", "19"}
    table = claims
    rows = table[table.id.isin(of_training) & table.measured.notna()]
    assert len(rows) == len(of_training)
    assert set(rows.verdict) == {"inconclusive"}
    assert rows.note.str.contains("networks at hand").all()


def test_several_seeds_can_decide_a_way_of_training(study_of_three_seeds):
    table = decided(study_of_three_seeds, "18", "19")
    assert table.verdict["18"] == "reproduced"
    assert table.verdict["19"] == "reproduced"
    assert table.n["18"] == 3
    assert "over 3 seeds" in table.note["18"]


def test_what_the_synthetic_network_shows(claims):
    table = claims.set_index("id")
    assert table.verdict["1"] == "reproduced"
    assert "1, 2, 19, 37. In the authors'" in table.note["1"]
    assert table.verdict["2"] == "reproduced"
    assert "The highest peak is no downsampling module." in table.note["2"]
    assert table.verdict["4c"] == "reproduced"
    assert table.verdict["7a"] == "reproduced"
    assert table.measured["12a"] == pytest.approx(-0.78, abs=0.01)
    assert table.verdict["12b"] == "reproduced"
    assert "Interval over 5 batches" in table.note["12a"]
    assert (table.low["13c"], table.high["13c"]) == (0.25, 0.35)
    assert table.verdict["13c"] == "not reproduced"
    assert table.verdict["21a"] == "not tested"


def test_an_ensemble_beside_a_residual_network(claims, study_of_three_seeds):
    of_votes = claims[claims.id == "22a"]
    assert list(of_votes.network) == [
        f"6 networks of 9 modules, {v}" for v in ("average", "majority")
    ]
    assert set(of_votes.verdict) == {"reproduced"}
    (row,) = claims[claims.id == "22b"].itertuples()
    assert "resnet without 18 of 54 modules: " in row.note
    assert "Ensemble of 4 members, 36 modules in all: " in row.note
    for note in (*of_votes.note, row.note):
        assert "member was trained for 10 epochs, resnet for 30: cost is counted in modules" in note
    over_seeds = decided(study_of_three_seeds, "22a")
    assert list(over_seeds.n["22a"]) == [3, 3]


def test_the_networks_at_hand_are_compared_image_by_image(study, study_of_three_seeds):
    tables = read_tables(study)
    wrong = [intact_wrong(tables, name, 0) for name in ("resnet_effective_paths", "resnet")]
    row = decided(tables, "15c").loc["15c"]
    only_a, only_b = discordant(*wrong)
    assert row.measured == pytest.approx((only_a - only_b) / 360)
    assert (row.low, row.high) == pytest.approx(difference_interval(only_a, only_b, 360))
    assert row.n == 360
    # 360 images cannot show that there is no difference.
    assert row.verdict == ("inconclusive" if row.low <= 0 <= row.high else "not reproduced")
    assert f"p = {mcnemar(only_a, only_b):.2g}." in row.note
    several = decided(study_of_three_seeds, "15c").loc["15c"]
    assert several.low <= several.measured <= several.high


def test_equal_training_is_no_matter_of_a_note(study):
    tables = read_tables(study)
    equal = dataclasses.replace(tables, members=tables.members.assign(epochs=30))
    notes = decided(equal, "22a", "22b").note
    assert not notes.str.contains("epochs").any()


def test_rules_that_were_changed_say_so(claims, tmp_path):
    """The list is what the history of the rules shows; it changes with a rule, and only then."""
    changed = {claim.id for claim in CLAIMS if claim.revised}
    assert changed == {
        *("4a", "4b", "4c", "5a", "5b", "6a", "6b", "7a", "7b", "12a", "12b"),
        *("13a", "13b", "13c", "15b", "15c", "20", "21b", "21c", "22a", "22b"),
        *("23a", "23b", "23c"),
    }
    begin = "Rule changed after the first study: "
    for table in (claims, claims_table(read_tables(tmp_path))):
        rows = table.note.str.contains(begin, regex=False)
        assert set(table.id[rows]) == changed
    for claim in CLAIMS:
        assert not claim.revised or claim.revised.endswith(".")
    (note,) = claims[claims.id == "12b"].note
    assert f"{begin}it asked for an R² of at least 0.9" in note


def test_gains_that_do_not_shrink_are_no_ensembles(study, tmp_path):
    """Members that are alike gain nothing, and modules none where the first deletions cost most."""
    folder = shutil.copytree(study, tmp_path / "digits")
    with np.load(folder / "ensemble/predictions-0.npz") as kept:
        predictions, labels = kept["predictions"], kept["labels"]
    alike = np.repeat(predictions[:1], len(predictions), axis=0)
    np.savez(folder / "ensemble/predictions-0.npz", predictions=alike, labels=labels)
    table = pd.read_csv(folder / "lesions.csv")
    random = table.sweep == "random_deletion"
    table.loc[random, "error_fraction"] = 0.02 + 0.2 * np.sqrt(table.n_operations[random])
    table.to_csv(folder / "lesions.csv", index=False)
    verdicts = decided(folder, "22a", "22b").verdict
    assert set(verdicts["22a"]) == {"not reproduced"}
    assert verdicts["22b"] == "not reproduced"
    table.loc[random, "error_fraction"] = 0.02 + 0.002 * table.n_operations[random] ** 2
    table.to_csv(folder / "lesions.csv", index=False)
    assert decided(folder, "22b").verdict["22b"] == "reproduced"


def test_every_seed_must_bear_an_identity_out(study_of_three_seeds):
    row = decided(study_of_three_seeds, "20").loc["20"]
    assert row.verdict == "reproduced"
    assert (row.measured, row.low, row.high, row.n) == (4e-6, 4e-6, 4e-6, 3 * 360)
    assert "Of 1080 predictions 0 differ." in row.note
    assert "gamma' = gamma·√(var' + ε)/(c·√(var + ε))" in row.note


@pytest.mark.parametrize(
    ("id", "value", "tolerance", "verdict"),
    [
        ("8a", 0.98, 5e-4, "reproduced"),
        ("8b", 54, 0, "reproduced"),
        ("9", 0.004537, 5e-7, "reproduced"),
        ("10", 2**-10, 0, "not reproduced"),
        ("11", 0.0187, 5e-5, "not reproduced"),
        ("14", 11.5, 0, "reproduced"),
        ("16", 53 / 54, 1e-12, "reproduced"),
    ],
)
def test_closed_forms_need_no_network(tmp_path, id, value, tolerance, verdict):
    row = decided(tmp_path, id).loc[id]
    assert row.measured == pytest.approx(value, abs=tolerance or 1e-15)
    assert row.verdict == verdict


def test_the_slip_is_explained(tmp_path):
    table = decided(tmp_path, "10", "11")
    assert "20 deletions" in table.note["10"]
    assert "34 %" in table.note["11"]
    assert "0.012 %" in table.note["11"]


def test_an_empty_study_tests_nothing_but_closed_forms(tmp_path):
    table = claims_table(read_tables(tmp_path))
    measured = table[table.verdict != "not tested"]
    assert set(measured.id) == {"8a", "8b", "9", "10", "11", "14", "16"}
    assert table[table.verdict == "not tested"].note.str.startswith("To settle it").all()


def test_what_effective_paths_carry_rests_on_batches(claims):
    rows = claims[claims.id.isin(["13a", "13b", "13c"])]
    assert list(rows.n) == [5, 5, 5]
    assert rows.note.str.contains("Interval over 5 batches").all()


def test_a_number_without_an_interval_says_so(claims):
    (note,) = claims[claims.id == "20"].note
    assert "A number on 360 images, without an interval." in note
    assert "Interval over" not in note


def other_depth(study, folder, n_modules, *ids):
    """Copies a study whose plain network has this many modules, and decides some claims."""
    shutil.copytree(study, folder)
    run = folder / "networks" / "resnet-0" / "run.json"
    facts = json.loads(run.read_text()) | {"n_modules": n_modules, "downsampling": [19, 37]}
    run.write_text(json.dumps(facts))
    return decided(folder, *ids)


def test_short_paths_of_other_depths_are_held_against_the_mean_path(study, tmp_path):
    gradients = pd.read_csv(study / "path_gradients.csv")
    folder = tmp_path / "digits"
    before = decided(study, "23b")
    assert before.measured["23b"] == pytest.approx(8 / 54)
    assert "to scale" not in before.note["23b"]
    scaled = other_depth(study, folder, 27, "23b")
    assert scaled.verdict["23b"] == "not tested"  # lengths go on to 54
    gradients[gradients.length <= 27].to_csv(folder / "path_gradients.csv", index=False)
    row = decided(folder, "23b").loc["23b"]
    assert (row.measured, row.low, row.high) == pytest.approx((8 / 27, 8 / 27, 9 / 27))
    assert (row.verdict, row.n) == ("reproduced", 5)
    exact = gradients[(gradients.estimator == "exact") & gradients.length.between(3, 8)]
    assert row.note.startswith(
        "Lengths that carry 95 %: 1 to 8 of 27. 5 to 17 of 54 are 2.5 to 8.5 of 27, to scale; "
        f"lengths 3 to 8 carry {100 * exact.share_of_norms.sum():.1f} %."
    )
    ranges = pd.read_csv(folder / "path_gradients_ranges.csv")
    ranges["last"], ranges["last_low"], ranges["last_high"] = 16, 14, 17
    ranges.to_csv(folder / "path_gradients_ranges.csv", index=False)
    verdicts = decided(folder, "23b").verdict
    assert verdicts["23b"] == "not reproduced"


def test_the_authors_numbers_are_of_the_same_depth_where_they_have_some(study, tmp_path):
    table = other_depth(study, tmp_path / "shallow", 9, "1", "2", "17", "18")
    assert table.paper_value[["1", "2", "17", "18"]].tolist() == [
        0.30465,
        -0.04468,
        0.27696,
        0.37335,
    ]
    assert "In the authors' own data" not in table.note["1"]
    table = other_depth(study, tmp_path / "other", 66, "1", "17")
    assert table.paper_value[["1", "17"]].tolist() == [0.00413, 0.00296]


def test_what_is_said_of_54_modules_is_not_tested_on_others(study, tmp_path):
    of_54 = "5a", "5b", "6a", "6b", "13a", "13b", "13c"
    verdicts = other_depth(study, tmp_path / "digits", 66, *of_54, "4a").verdict
    for id in of_54:
        assert verdicts[id] == "not tested"
    assert verdicts["4a"] != "not tested"


def test_exact_numbers_are_held_against_the_target_as_they_are():
    assert at_least(0.5).verdict(exact(0.5)) == "reproduced"


def test_a_study_of_imagenet_answers_claim_21(tmp_path):
    folder = write_study(tmp_path / "imagenet", networks=("resnet",), k=10, draws=4)
    path = folder / "networks" / "resnet-0" / "run.json"
    run = json.loads(path.read_text())
    run["dataset"] = {"name": "imagenet2012", "title": "ImageNet", "n_classes": 1000}
    path.write_text(json.dumps(run))
    table = decided(folder, "1", "7a", "21a", "21c")
    assert table.verdict["21a"] == table.verdict["1"] == "reproduced"
    assert table.measured["21c"] == table.measured["7a"]
