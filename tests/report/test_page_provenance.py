import doctest

from residual_ensembles.analysis import read_tables
from residual_ensembles.report import provenance


def test_what_made_the_study(study_of_three_seeds):
    rows = provenance.provenance_rows(read_tables(study_of_three_seeds))
    facts = dict(rows)
    assert facts["data set, title"] == "Digits (scikit-learn)"
    assert facts["revision"] == "0123456789ab"
    assert facts["versions, keras"] == "3.15.1"
    assert facts["hardware, cores"] == "2"
    assert facts["seeds"] == "0, 1, 2"
    assert len(rows) == len(facts)  # what all runs share is said once


def test_examples():
    assert doctest.testmod(provenance).failed == 0
