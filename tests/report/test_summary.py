from residual_ensembles.analysis import CLAIMS, read_tables
from residual_ensembles.report.summary import QUESTIONS, answers, how_sure, tally


def test_questions_are_answered_by_claims_that_exist():
    assert {id for _, id, _ in QUESTIONS} <= {claim.id for claim in CLAIMS}


def test_answers(claims):
    found = {answer.id: answer for answer in answers(claims)}
    assert found["1"].verdict == "reproduced"
    assert "points" in found["1"].measured
    assert found["15a"].verdict == "inconclusive"


def test_the_tally_counts_every_row(claims):
    assert sum(tally(claims).values()) == len(claims)


def test_how_sure(study, study_of_three_seeds, tmp_path):
    assert "one seed" in how_sure(read_tables(study))
    assert "over 3 seeds" in how_sure(read_tables(study_of_three_seeds))
    assert "No network" in how_sure(read_tables(tmp_path))
