"""The page of tables explains every column that a study writes."""

import re
from pathlib import Path

import pytest

from residual_ensembles import pruning
from residual_ensembles.lesions.table import COLUMNS as LESION_COLUMNS
from residual_ensembles.paths.study import gradient_tables
from residual_ensembles.storage import columns

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "tables.md"
NAMES = {"network", "seed", "epoch", "estimator", "target", "batch_norm", "length"}
"""Columns that say what a row is about; they are explained once, at path_gradients.csv."""
WRITTEN = {
    "lesions.csv": LESION_COLUMNS,
    "exactness.csv": columns.EXACTNESS_COLUMNS,
    "module_importance.csv": pruning.COLUMNS,
    "module_importance_ranks.csv": columns.RANK_COLUMNS,
    "pruned.csv": columns.PRUNED_COLUMNS,
    "pruned_steps.csv": columns.PRUNED_STEP_COLUMNS,
    "half_gates.csv": columns.HALF_GATE_COLUMNS,
    "ensemble.csv": columns.ENSEMBLE_COLUMNS,
    "members.csv": columns.MEMBER_COLUMNS,
    "claims.csv": columns.CLAIM_COLUMNS,
    "gates.csv": columns.GATE_COLUMNS,
    **{f"path_gradients{end}.csv": names for end, names in gradient_tables.COLUMNS.items()},
}


def explained(table: str) -> set[str]:
    """Returns what the section about a table, or the row about its file, sets in code."""
    text = PAGE.read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.M)[1:]
    about = [part for part in sections if table in part.partition("\n")[0]]
    rows = [line for line in text.splitlines() if line.startswith(f"| `{table}`")]
    return set(re.findall(r"`(\w+)`", "\n".join(about + rows)))


@pytest.mark.parametrize("table", WRITTEN)
def test_every_column_is_explained(table):
    assert set(WRITTEN[table]) - NAMES - explained(table) == set()


def test_those_that_name_a_row_are_explained():
    assert explained("path_gradients.csv") >= NAMES
