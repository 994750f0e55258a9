"""Examples in docstrings run, and print what they say."""

import doctest
import importlib
import re

import pytest

from residual_ensembles.storage.imports import LIBRARY

MODULES = sorted(
    ".".join(file.relative_to(LIBRARY.parent).with_suffix("").parts)
    for file in LIBRARY.rglob("*.py")
    if re.search(r">>> (?!.*doctest: \+SKIP)", file.read_text(encoding="utf-8"))
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some write files
    given = {"folder": tmp_path / "folder"}
    failed, tried = doctest.testmod(importlib.import_module(name), extraglobs=given)
    assert (failed, tried > 0) == (0, True)
