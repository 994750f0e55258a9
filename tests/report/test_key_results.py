import json

import pytest

from residual_ensembles.analysis import CLAIMS, claims_table, read_tables
from residual_ensembles.report.key_results import (
    QUESTIONS,
    answers,
    how_sure,
    metrics,
    tally,
)


def test_questions_are_answered_by_claims_that_exist():
    assert {id for _, id, _ in QUESTIONS} <= {claim.id for claim in CLAIMS}


def test_answers_have_verdict_and_unit(claims):
    result = {answer.id: answer for answer in answers(claims)}
    assert result["1"].verdict == "reproduced"
    assert "points" in result["1"].measured
    assert result["15a"].verdict == "inconclusive"


def test_no_reading_of_short_paths_is_left_out(claims):
    assert {"13a", "13b", "13c"} <= {answer.id for answer in answers(claims)}


def test_what_no_network_can_change_is_counted_apart(claims, tmp_path):
    assert sum(tally(claims).values()) + sum(tally(claims, counted=True).values()) == len(claims)
    nothing = claims_table(read_tables(tmp_path))
    assert tally(nothing)["reproduced"] == tally(nothing)["not reproduced"] == 0
    assert tally(nothing, counted=True)["reproduced"] == 5
    assert tally(nothing, counted=True)["not reproduced"] == 2


def test_a_sentence_says_what_intervals_are_over(study, study_of_three_seeds, tmp_path):
    assert "one seed" in how_sure(read_tables(study))
    assert "over 3 seeds" in how_sure(read_tables(study_of_three_seeds))
    assert "No network" in how_sure(read_tables(tmp_path))


def test_metrics_are_flat_and_in_percent(study, claims):
    tables = read_tables(study)
    result = metrics(tables, claims)
    rows = tables.sweep("resnet", "random_deletion_sparing")
    mean = rows[rows.n_operations == 10].error_fraction.mean()
    assert result["resnet_10_deleted_noncritical_error_percent"] == pytest.approx(
        100 * mean, abs=1e-4
    )
    assert result["vgg_median_single_deletion_error_percent"] > 80
    assert "vgg_10_deleted_any_error_percent" not in result
    assert result["claims_reproduced"] > 5
    assert all(isinstance(value, int | float) for value in result.values())
    json.dumps(result, allow_nan=False)
