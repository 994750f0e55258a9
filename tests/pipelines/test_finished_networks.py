"""Stages look at the manifest of a network before they read it."""

import pytest
import small_studies

from pipelines.study import Study
from residual_ensembles.parameters import validated
from residual_ensembles.storage import files


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study with a network of two files."""
    monkeypatch.chdir(tmp_path)
    made = validated(Study, small_studies.parameters())
    folder = made.folder("resnet", 0)
    folder.mkdir(parents=True)
    for name in ("model.keras", "history.csv"):
        (folder / name).write_text(name)
    files.write_manifest(folder, ["model.keras", "history.csv"])
    return made


def test_a_whole_one_is_found(study):
    assert study.finished("resnet", 0) == study.folder("resnet", 0)


@pytest.mark.parametrize("name", ["model.keras", "history.csv", files.MANIFEST])
@pytest.mark.parametrize("content", [b"", b"else"])
def test_a_damaged_one_is_refused_by_the_name_of_its_file(study, name, content):
    (study.folder("resnet", 0) / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"resnet-0/{name} .*train it again"):
        study.finished("resnet", 0)


@pytest.mark.parametrize("manifest", [None, '{"files": {}}'])
def test_one_that_is_not_finished_is_refused(study, manifest):
    place = study.folder("resnet", 0) / files.MANIFEST
    place.unlink()
    if manifest is not None:
        place.write_text(manifest)
    with pytest.raises(ValueError, match="resnet-0, in which no training has been finished"):
        study.finished("resnet", 0)
