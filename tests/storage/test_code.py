"""What a fingerprint covers is what the code behind it imports."""

import ast
from pathlib import Path

import pytest
import yaml

from residual_ensembles.gradients import keeping as gradient_keeping
from residual_ensembles.lesions import fingerprint as lesion_fingerprint
from residual_ensembles.storage import code
from residual_ensembles.training import fingerprint as training_fingerprint

# They write, report or choose, and change no number.
HARMLESS = {
    "analysis/gradient_tables",
    "parameters",
    "runtime/executor",
    "storage",
}


def imported(file: Path) -> set[str]:
    """Returns the project's modules that a file imports, as paths without suffix."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "residual_ensembles"
        ):
            parts = node.module.split(".")[1:]
            for alias in node.names:
                whole = [*parts, alias.name]
                longer = (code.LIBRARY / "/".join(whole)).with_suffix(".py").exists()
                is_room = (code.LIBRARY / "/".join(whole)).is_dir()
                found.add("/".join(whole if longer or is_room or not parts else parts))
    return found


@pytest.mark.parametrize(
    ("files", "covered"),
    [  # programs and __init__ compute nothing
        ("training/[!_]*.py", training_fingerprint.CODE),
        ("lesions/[!_]*.py", lesion_fingerprint.CODE),
        ("gradients/[!_]*.py", gradient_keeping.CODE),
    ],
)
def test_the_fingerprint_covers_what_is_imported(files, covered):
    names = {place.removesuffix(".py") for place in covered}
    for file in code.LIBRARY.glob(files):
        for module in imported(file):
            is_covered = any(module == n or module.startswith(f"{n}/") for n in names)
            harmless = module in HARMLESS or module.split("/")[0] in HARMLESS
            assert is_covered or harmless, f"{file.name} imports {module}"


def test_what_decides_a_sweep_is_watched_by_its_stage():
    stage = yaml.safe_load((code.LIBRARY.parent / "dvc.yaml").read_text())["stages"]["lesion_study"]
    assert {f"residual_ensembles/{name}" for name in lesion_fingerprint.CODE} <= set(stage["deps"])


def test_a_changed_file_changes_the_checksum(tmp_path, monkeypatch):
    (tmp_path / "room").mkdir()
    (tmp_path / "room/a.py").write_text("x = 1\n")
    monkeypatch.setattr(code, "LIBRARY", tmp_path)
    before = code.code_checksum("room")
    assert code.code_checksum("room") == before
    (tmp_path / "room/a.py").write_text("x = 2\n")
    assert code.code_checksum("room") != before
