import json
import shutil

from residual_ensembles.analysis import read_tables
from residual_ensembles.report import provenance_rows


def test_what_made_the_study(study_of_three_seeds):
    rows = provenance_rows.provenance_rows(read_tables(study_of_three_seeds))
    facts = dict(rows)
    assert facts["data set, title"] == "Digits (scikit-learn)"
    assert facts["revision"] == "0123456789ab"
    assert facts["versions, keras"] == "3.15.1"
    assert facts["hardware, cores"] == "2"
    assert facts["seeds"] == "0, 1, 2"
    assert len(rows) == len(facts)  # what all runs share is said once


def test_the_page_says_what_computed_the_tables(study, tmp_path):
    folder = tmp_path / "digits"
    shutil.copytree(study, folder)
    facts = {"engine": "ray", "threads_of_a_task": 1, "tasks_by_node": {"a": 12, "b": 11}}
    (folder / "lesions_run.json").write_text(json.dumps({"revision": "0", **facts}))
    rows = provenance_rows.provenance_rows(read_tables(folder))
    assert ("lesions, engine", "ray") in rows
    assert ("lesions, tasks_by_node.b", "11") in rows
    assert not [name for name, _ in rows if name.startswith("path gradients,")]
