"""The page that walks with a lesion from its plan to the table names functions that are there."""

import importlib
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "walk-of-a-lesion.md"
STEP = re.compile(r"^(\d)\. \*\*[^*]+\*\*: `(residual_ensembles/[\w/]+)\.py`,\s+`([\w.]+)`", re.M)


def test_every_step_is_a_function_that_can_be_opened():
    page = PAGE.read_text()
    steps = STEP.findall(page)
    assert [int(number) for number, _, _ in steps] == list(range(1, len(steps) + 1))
    assert len(steps) == len(re.findall(r"^\d+\. ", page, re.M)) <= 8
    for _, file, name in steps:
        result = importlib.import_module(file.replace("/", "."))
        assert result.__file__.endswith(f"{file}.py")
        for part in name.split("."):
            result = getattr(result, part)
        assert callable(result)
        assert result.__module__ == file.replace("/", ".")


def test_other_files_that_it_names_are_there():
    root = PAGE.parents[2]
    names = set(re.findall(r"`(?:[\w/]+/)?([\w]+\.py)`", PAGE.read_text()))
    there = {path.name for path in (root / "residual_ensembles").rglob("*.py")}
    there |= {path.name for path in (root / "tests").rglob("*.py")}
    assert names <= there
