"""Stages look at the manifest of a network before they read it."""

import pytest

from residual_ensembles.storage import files
from residual_ensembles.storage.checkpoints import finished_network, network_folder


@pytest.fixture
def results(tmp_path):
    """Results of a study with a network of two files."""
    folder = network_folder(tmp_path, "resnet", 0)
    folder.mkdir(parents=True)
    for name in ("model.keras", "history.csv"):
        (folder / name).write_text(name)
    files.write_manifest(folder, ["model.keras", "history.csv"])
    return tmp_path


def test_an_intact_network_is_found(results):
    assert finished_network(results, "resnet", 0) == network_folder(results, "resnet", 0)


@pytest.mark.parametrize("name", ["model.keras", "history.csv", files.MANIFEST])
@pytest.mark.parametrize("content", [b"", b"else"])
def test_a_damaged_network_is_refused_and_its_file_named(results, name, content):
    (network_folder(results, "resnet", 0) / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"resnet-0/{name}"):
        finished_network(results, "resnet", 0)


@pytest.mark.parametrize("manifest", [None, '{"files": {}}'])
def test_an_unfinished_network_is_refused(results, manifest):
    place = network_folder(results, "resnet", 0) / files.MANIFEST
    place.unlink()
    if manifest is not None:
        place.write_text(manifest)
    with pytest.raises(ValueError, match="resnet-0"):
        finished_network(results, "resnet", 0)
