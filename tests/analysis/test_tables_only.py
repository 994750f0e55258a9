"""Analysis, figures and page read tables: no network is ever loaded for them."""

import ast
from pathlib import Path

import pytest

import residual_ensembles

ROOT = Path(residual_ensembles.__file__).parent
FORBIDDEN = {"keras", "tensorflow", "jax", "torch"}
ROOMS = {"analysis", "figures", "report", "pages", "paths", "files", "randomness"}
READERS = ("analysis", "figures", "report", "pages")
FILES = sorted(p for room in READERS for p in (ROOT / room).rglob("*.py"))


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports(path):
    for name in imported(path):
        first, *rest = name.split(".")
        assert first not in FORBIDDEN
        if first == "residual_ensembles":
            assert rest[0] in ROOMS
            assert rest[0] != "paths" or rest[1] == "lengths"
