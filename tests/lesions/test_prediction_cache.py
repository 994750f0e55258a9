"""Caches of results: named by all that decides the results, and of bounded size."""

import os

import pytest

from residual_ensembles.lesions.sweep import network_cache
from residual_ensembles.runtime.result_cache import remove_oldest
from residual_ensembles.storage.checkpoints import VARIABLE


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "kept"))
    (tmp_path / "network").write_bytes(b"weights")
    (tmp_path / "other").write_bytes(b"other weights")
    return tmp_path / "kept"


def name(*arguments, **facts):
    return network_cache("lesions", *arguments, **facts).folder.name


def test_another_network_or_data_is_kept_elsewhere(tmp_path):
    network = tmp_path / "network"
    names = [
        name(network, "data", modules=["one"]),
        name(tmp_path / "other", "data", modules=["one"]),
        name(network, "more", modules=["one"]),
        name(network, "data", modules=["two"]),
        name(network, "data"),
        name(network, "data", ["residual_ensembles.stages.lesions"]),
    ]
    assert len(set(names)) == len(names)
    assert name(network, "data", modules=["one"]) == names[0]
    assert len(names[0]) == 16


def test_threads_decide_too(tmp_path, monkeypatch):
    before = name(tmp_path / "network", "data")
    monkeypatch.setenv("RESIDUAL_ENSEMBLES_THREADS", "3")
    assert name(tmp_path / "network", "data") != before


def folders(root):
    return sorted(each.name for each in root.iterdir())


def test_what_was_not_looked_at_for_longest_is_forgotten(tmp_path):
    root = tmp_path / "all"
    for i, letter in enumerate("abcd"):
        (root / letter / "kind").mkdir(parents=True)
        (root / letter / "kind" / "chunk").write_bytes(bytes(100))
        os.utime(root / letter, (i, i))
    remove_oldest(root, 400)
    assert folders(root) == ["a", "b", "c", "d"]
    os.utime(root / "a", (9, 9))
    remove_oldest(root, 250)
    assert folders(root) == ["a", "d"]
    remove_oldest(root, 0)
    assert folders(root) == ["a"]


def test_opening_a_cache_keeps_it(tmp_path, kept):
    cache = network_cache("lesions", tmp_path / "network", "data")
    cache.save("one", 1)
    os.utime(cache.folder, (1, 1))
    again = network_cache("lesions", tmp_path / "network", "data")
    assert again.find("one") == 1
    assert again.folder.stat().st_mtime > 1
    assert again.folder.parent == kept / "lesions"
