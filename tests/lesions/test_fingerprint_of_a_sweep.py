import ast
from pathlib import Path

import yaml

import residual_ensembles
from residual_ensembles.lesions import Lesion, PlannedLesion, intact
from residual_ensembles.lesions.fingerprint import CODE, fingerprint

LIBRARY = Path(residual_ensembles.__file__).parent
ANALYSIS = "residual_ensembles.analysis"


def test_another_network_data_plan_or_setting_is_another_sweep(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    other = [*intact(), PlannedLesion("single_deletion", 0, Lesion(deletions=[1]))]
    same = [fingerprint(tmp_path / "a", "data", intact(), {"seed": 1}) for _ in range(2)]
    different = [
        fingerprint(tmp_path / "b", "data", intact(), {"seed": 1}),
        fingerprint(tmp_path / "a", "more", intact(), {"seed": 1}),
        fingerprint(tmp_path / "a", "data", other, {"seed": 1}),
        fingerprint(tmp_path / "a", "data", intact(), {"seed": 2}),
    ]
    assert same[0] == same[1]
    assert len({same[0], *different}) == 5
    assert len(same[0]) == 16


def imported(file: Path) -> set[str]:
    """Files of the statistics that a file imports, and those that these do."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{ANALYSIS}."):
            name = node.module.removeprefix("residual_ensembles.").replace(".", "/") + ".py"
            found |= {name} | imported(LIBRARY / name)
    return found


def test_statistics_that_decide_what_is_evaluated_belong_to_it():
    used = set().union(*(imported(file) for file in (LIBRARY / "lesions").glob("*.py")))
    assert {"analysis/finite.py", "analysis/wilson.py"} <= used
    assert used == {name for name in CODE if name.startswith("analysis/")}
    stage = yaml.safe_load((LIBRARY.parent / "dvc.yaml").read_text())["stages"]["lesion_study"]
    assert {f"residual_ensembles/{name}" for name in used} <= set(stage["deps"])
