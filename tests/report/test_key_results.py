from residual_ensembles.analysis import CLAIMS, claims_table, read_tables
from residual_ensembles.report.key_results import QUESTIONS, answers, how_sure, tally, tally_counted


def test_questions_are_answered_by_claims_that_exist():
    assert {id for _, id, _ in QUESTIONS} <= {claim.id for claim in CLAIMS}


def test_answers(claims):
    result = {answer.id: answer for answer in answers(claims)}
    assert result["1"].verdict == "reproduced"
    assert "points" in result["1"].measured
    assert result["15a"].verdict == "inconclusive"


def test_no_reading_of_short_paths_is_left_out(claims):
    assert {"13a", "13b", "13c"} <= {answer.id for answer in answers(claims)}


def test_what_no_network_can_change_is_counted_apart(claims, tmp_path):
    assert sum(tally(claims).values()) + sum(tally_counted(claims).values()) == len(claims)
    nothing = claims_table(read_tables(tmp_path))
    assert tally(nothing)["reproduced"] == tally(nothing)["not reproduced"] == 0
    assert tally_counted(nothing)["reproduced"] == 5
    assert tally_counted(nothing)["not reproduced"] == 2


def test_how_sure(study, study_of_three_seeds, tmp_path):
    assert "one seed" in how_sure(read_tables(study))
    assert "over 3 seeds" in how_sure(read_tables(study_of_three_seeds))
    assert "No network" in how_sure(read_tables(tmp_path))
