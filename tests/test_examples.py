"""Examples in docstrings run, and print what they say.

Where an example does not make them, `chain` is an untrained ResNet-20 for digits, `images` and
`labels` are four images of 8×8 and their classes, `results` is the folder of a study, and `folder`
one that is not there yet.
"""

import ast
import doctest
import importlib

import numpy as np
import pytest

from residual_ensembles import models
from residual_ensembles.storage.imports import LIBRARY
from tests.helpers.synthetic_study import write_study

MODULES = sorted(
    ".".join(file.relative_to(LIBRARY.parent).with_suffix("").parts)
    for file in LIBRARY.rglob("*.py")
    if ">>> " in file.read_text(encoding="utf-8")
)
WITHOUT = {
    # Stages, which take a whole study: tests/pipelines runs them.
    "residual_ensembles.stages.external.write_external_run",
    "residual_ensembles.stages.gradients.write_gradients",
    "residual_ensembles.stages.lesions.save_pruned",
    "residual_ensembles.stages.lesions.write_lesions",
    # They draw all figures, or need them drawn, which takes half a minute.
    "residual_ensembles.figures.gallery.draw_figures",
    "residual_ensembles.report.page.render",
    "residual_ensembles.report.page.write_page",
}
"""Public functions without an example."""


@pytest.fixture(scope="session")
def given(tmp_path_factory):
    return {
        "chain": models.build("resnet", 20, (8, 8, 1), 10, mean=[127.0], std=[64.0]),
        "images": np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1)).astype("uint8"),
        "labels": np.array([3, 7, 0, 1]),
        "results": write_study(tmp_path_factory.mktemp("study") / "results", ("resnet",)),
    }


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name, given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some write files
    names = given | {"folder": tmp_path / "folder"}
    failed, tried = doctest.testmod(importlib.import_module(name), extraglobs=names)
    assert (failed, tried > 0) == (0, True)


def public_functions():
    """What the packages of the library offer, as `__init__.pyi` lists it."""
    for stub in LIBRARY.rglob("__init__.pyi"):
        package = ".".join(stub.parent.relative_to(LIBRARY.parent).parts)
        for node in ast.parse(stub.read_text(encoding="utf-8")).body:
            for alias in node.names if isinstance(node, ast.ImportFrom) else ():
                value = getattr(importlib.import_module(package), alias.name)
                if callable(value) and not isinstance(value, type):
                    yield value


def test_public_functions_have_an_example():
    without = {
        f"{function.__module__}.{function.__qualname__}"
        for function in public_functions()
        if ">>>" not in function.__doc__
    }
    assert without == WITHOUT
