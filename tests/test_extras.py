"""What is installed with the library alone is enough for a network of one's own."""

import re
import subprocess
import sys
import tomllib

import pytest

from residual_ensembles.backend import extras
from residual_ensembles.storage.imports import LIBRARY

OPTIONAL = (
    *("array_record", "dvc", "dvclive", "hydra", "importlib_resources", "jinja2", "markupsafe"),
    *("matplotlib", "PIL", "ray", "sklearn", "statsmodels", "tensorflow_datasets", "yaml"),
)
"""What extras bring, as it is imported."""
WITHOUT = "import sys; sys.modules.update(dict.fromkeys(sys.argv[1].split(',')));"
OWN_NETWORK = """
import keras
import numpy as np
from residual_ensembles import lesion_study, module_importance, prune, unravel

x = keras.Input((8, 8, 1))
y = keras.layers.Conv2D(4, 3, padding="same")(x)
for i in range(3):
    y = keras.layers.Add(name=f"add{i}")([y, keras.layers.Conv2D(4, 3, padding="same")(y)])
y = keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(y))
chain = unravel(keras.Model(x, y))
images, labels = np.random.default_rng(0).random((30, 8, 8, 1)), np.arange(30) % 10
assert len(lesion_study(chain, images, labels)) == 4
assert len(module_importance(chain, images, labels)) == 3
assert len(prune(chain, 1, (images, labels)).deleted) == 1
"""


def run(missing, statements):
    words = [sys.executable, "-c", WITHOUT + statements, ",".join(missing)]
    return subprocess.run(words, capture_output=True, text=True)


def test_a_network_is_unraveled_and_pruned_without_any_extra():
    done = run(OPTIONAL, OWN_NETWORK)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("room", "missing", "extra"),
    [
        ("data", "PIL", "data"),
        ("data", "array_record", "data"),
        ("report.explorer", "jinja2", "report"),
        ("figures", "matplotlib", "figures"),
        ("figures", "statsmodels", "figures"),
        ("report", "jinja2", "report"),
    ],
)
def test_a_room_names_the_extra_that_it_needs(room, missing, extra):
    done = run([missing], f"import residual_ensembles.{room}")
    last = done.stderr.splitlines()[-1]
    assert f"MissingExtraError: Received no {missing}" in last
    assert f"pip install 'residual-ensembles[{extra}]'" in last


def test_drawing_a_table_names_the_extra():
    done = run(["matplotlib"], "from residual_ensembles import unravel, plot")
    assert "MissingExtraError: Received no matplotlib" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "statements",
    [
        "import residual_ensembles, keras",
        "from residual_ensembles import unravel",
        "from residual_ensembles import models; models.build",
    ],
)
def test_keras_without_its_backend_names_the_extra(monkeypatch, statements):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    last = run(["tensorflow"], statements).stderr.splitlines()[-1]
    assert "MissingExtraError: the Keras backend is 'tensorflow', which is not installed" in last
    assert "pip install 'residual-ensembles[tensorflow]'" in last


def test_a_program_names_it_in_one_line():
    program = """
import importlib
from residual_ensembles import cli
del sys.argv[1:]
cli.run(lambda: importlib.import_module("residual_ensembles.figures"))
"""
    done = run(["matplotlib"], program)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("error: Received no matplotlib")


@pytest.mark.parametrize(
    ("program", "missing", "named"),
    [
        ("lesions", OPTIONAL, "[data,report]"),
        ("lesions", ("PIL",), "[data,report]"),
        ("lesions", ("statsmodels",), "[data,report]"),
        ("train", OPTIONAL, "[data]"),
    ],
)
def test_a_program_names_its_extras_in_one_line(program, missing, named):
    run_as_program = f"""
import runpy
del sys.argv[1:]
runpy.run_module("residual_ensembles.{program}", run_name="__main__")
"""
    done = run(missing, run_as_program)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith("error: Received no ")
    assert f"pip install 'residual-ensembles{named}'" in done.stderr


def test_installed_packages_are_accepted():
    extras.require("figures", "json", "numpy")


def test_extras_that_errors_name_are_those_of_the_project():
    project = tomllib.loads((LIBRARY.parent / "pyproject.toml").read_text())["project"]
    named = {
        extra
        for file in LIBRARY.rglob("*.py")
        for extra in re.findall(r'extras\.require\(\s*"(\w+)"', file.read_text())
    }
    assert {"cluster", "data", "figures", "report"} <= named <= {*project["optional-dependencies"]}
