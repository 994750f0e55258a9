import subprocess

import pytest

from residual_ensembles.storage import provenance


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with a package, programs and a pipeline, in which this code seems to lie."""

    def git(*arguments):
        name = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", "-C", tmp_path, *name, *arguments], check=True, capture_output=True)

    git("init")
    for file in ("package/a.py", "programs/b.py", "dvc.yaml", "params.yaml", "page.js"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("1")
    git("add", ".")
    git("commit", "-m", "all")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "package/a.py"))
    return tmp_path


@pytest.mark.parametrize("file", ["package/a.py", "programs/b.py", "dvc.yaml", "page.js"])
def test_a_changed_file_marks_the_revision(repository, file):
    clean = provenance.revision()
    assert len(clean) == 12
    (repository / file).write_text("2")
    assert provenance.revision() == f"{clean}+"


def test_parameters_of_a_study_do_not_mark_the_revision(repository):
    clean = provenance.revision()
    for file in ("params.yaml", "dvc.lock", "package/result.csv"):
        (repository / file).write_text("2")
    assert provenance.revision() == clean


def test_outside_of_a_repository_it_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "a.py"))
    assert provenance.revision() == "unknown"
