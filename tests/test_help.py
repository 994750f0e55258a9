"""`--help` of each program succeeds, and begins with what it does and an example that is valid."""

import shlex
import subprocess
import sys

import pytest

from residual_ensembles.__main__ import PROGRAMS as LISTED
from residual_ensembles.storage import imports

PROGRAMS = sorted(
    ".".join(file.relative_to(imports.ROOT).with_suffix("").parts).removesuffix(".__main__")
    for package in imports.PACKAGES
    for file in (imports.ROOT / package).rglob("*.py")
    if 'if __name__ == "__main__":' in file.read_text(encoding="utf-8")
)


def text_of(program):
    words = [sys.executable, "-m", program, "--help"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=imports.ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def test_all_programs_are_known():
    assert {*LISTED} < {*PROGRAMS}
    assert len(PROGRAMS) >= 18


@pytest.mark.parametrize("program", [p for p in PROGRAMS if p != "residual_ensembles"])
def test_help_begins_with_an_example(program):
    purpose, empty, example, *rest = text_of(program).splitlines()
    assert purpose.endswith(".")
    assert empty == ""
    assert example.strip().startswith(f"python -m {program}")
    for flag in (word for word in shlex.split(example) if word.startswith("--")):
        assert any(line.strip().startswith(flag.partition("=")[0] + ":") for line in rest), flag


def test_the_list_of_programs_is_its_own_help():
    assert text_of("residual_ensembles").startswith("Programs (--help")


def test_arguments_of_the_whole_study_are_refused():
    words = [sys.executable, "-m", "pipelines.reproduce", "study=cifar10"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=imports.ROOT)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("error: Received study=cifar10, expected nothing")
