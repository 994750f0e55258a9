"""The import graph: no circles, and no imports from rooms above."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from residual_ensembles.storage import imports

FILES = [
    file
    for package in imports.PACKAGES
    for file in sorted((imports.ROOT / package).rglob("*.py"))
    if file.name != "__init__.py"
]


def circles(graph: Mapping) -> list[set]:
    """Each set of nodes of which every one leads to every other."""
    behind = {}
    for node in graph:
        result, waiting = set(), [node]
        while waiting:
            new = graph.get(waiting.pop(), set()) - result
            result |= new
            waiting.extend(new)
        behind[node] = result
    loops = {
        frozenset(other for other in graph if node in behind[other] and other in behind[node])
        for node in graph
        if node in behind[node]
    }
    return [set(loop) for loop in loops]


def test_a_circle_is_found():
    result = circles({1: {2}, 2: {3}, 3: {2, 4}, 4: set(), 5: {5}})
    assert sorted(map(sorted, result)) == [[2, 3], [5]]


def test_no_files_import_each_other():
    assert circles({file: imports.imported(file) for file in FILES}) == []


def room(file: Path) -> str:
    """A package of the library, or a file beside them."""
    return "/".join(file.relative_to(imports.ROOT).with_suffix("").parts[:2])


def test_no_rooms_import_each_other():
    rooms: dict[str, set] = {}
    for file in FILES:
        if file.name != "__main__.py":  # programs stand above all rooms
            others = {room(other) for other in imports.imported(file)} - {room(file)}
            rooms.setdefault(room(file), set()).update(others)
    assert circles(rooms) == []


LAYERS = (
    "arguments",
    "backend",
    "statistics",
    "storage",
    "models",
    "parameters",
    "cli",
    "runtime",
    "data",
    "unraveling",
    "training",
    "lesions",
    "paths",
    "pruning",
    "analysis",
    "figures",
    "report",
    "stages",
    "train",
    "pipelines",
)
"""Rooms of the library and files beside them from bottom to top: each imports from below alone."""

WINGS = (
    ("lesions/engine", "lesions/exactness"),
    ("paths", "paths/study"),
    ("report", "report/explorer"),
)
"""Within a room: the first of two never imports the second."""


def layer(file: Path) -> str:
    """The room that a file is in, or its own name beside them; the pipeline is one."""
    first, *rest = file.relative_to(imports.ROOT).with_suffix("").parts
    return rest[0] if first == "residual_ensembles" else first


def arrows() -> list[tuple[Path, Path]]:
    """Which file imports which; programs stand above all rooms."""
    programs = [file for file in FILES if file.name == "__main__.py"]
    return [(a, b) for a in FILES if a not in programs for b in sorted(imports.imported(a))]


def test_every_room_has_a_layer():
    assert {layer(file) for file in FILES if file.name != "__main__.py"} <= set(LAYERS)


def test_rooms_import_rooms_below_them():
    upward = [
        f"{a.relative_to(imports.ROOT)} imports {b.relative_to(imports.ROOT)}"
        for a, b in arrows()
        if LAYERS.index(layer(b)) > LAYERS.index(layer(a))
    ]
    assert upward == []


@pytest.mark.parametrize(("below", "above"), WINGS)
def test_wings_import_wings_below_them(below, above):
    upward = [
        f"{a.relative_to(imports.ROOT)} imports {b.relative_to(imports.ROOT)}"
        for a, b in arrows()
        if a.is_relative_to(imports.LIBRARY / below)
        and not a.is_relative_to(imports.LIBRARY / above)
        and b.is_relative_to(imports.LIBRARY / above)
    ]
    assert upward == []


def test_few_files_lie_beside_the_rooms():
    beside = {file.name for file in imports.LIBRARY.iterdir() if file.is_file()}
    assert len(beside - {"__main__.py"}) <= 7, sorted(beside)


SOURCES = {
    "__init__.py": "",
    "alone.py": "",
    "base.py": "def one(): ...\n",
    "hidden.py": "",
    "room/__init__.py": "",
    "room/__init__.pyi": "from . import inner\nfrom .defining import define as make\n",
    "room/defining.py": "",
    "room/inner.py": "",
    "room/unused.py": "",
    "plain/__init__.py": "def two(): ...\n",
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import os, residual_ensembles.base", ["base.py"]),
        ("from residual_ensembles import base as b", ["base.py"]),
        ("from residual_ensembles.base import one", ["base.py"]),
        ("def f():\n    from residual_ensembles import base", ["base.py"]),
        ("from residual_ensembles.room import make", ["room/defining.py"]),
        ("from residual_ensembles.room import inner", ["room/inner.py"]),
        ("from residual_ensembles import room\nroom.make()", ["room/defining.py"]),
        ("from residual_ensembles import room as r\nr.make(r.inner.x)", None),
        ("from residual_ensembles import room\nroom.unused.x", ["room/unused.py"]),
        ("from residual_ensembles import room\nprint(room)", None),
        ("from residual_ensembles import plain\nplain.two()", ["plain/__init__.py"]),
        ("from residual_ensembles.plain import two", ["plain/__init__.py"]),
        ("if TYPE_CHECKING:\n    from residual_ensembles import base", []),
        ("from . import base", ["base.py"]),
        ("from .room import make", ["room/defining.py"]),
        ("from numpy import base\nimport keras.room", []),
    ],
)
def test_what_a_file_imports(tmp_path, monkeypatch, source, expected):
    package = tmp_path / "residual_ensembles"
    for name, text in {**SOURCES, "file.py": source + "\n"}.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    monkeypatch.setattr(imports, "ROOT", tmp_path)
    result = sorted(str(f.relative_to(package)) for f in imports.imported(package / "file.py"))
    assert result == (["room/defining.py", "room/inner.py"] if expected is None else expected)


def test_an_unknown_module_is_refused():
    with pytest.raises(ValueError, match=r"residual_ensembles\.nowhere"):
        imports.file_of("residual_ensembles.nowhere")
