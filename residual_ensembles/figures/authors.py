"""The published measurements of the paper's authors, drawn behind ours."""

from functools import cache
from importlib.resources import files
from io import StringIO
from pathlib import Path

import pandas as pd

from residual_ensembles.storage.files import write_text

ANY = "random delete, any module"
SPARING = "random delete, first and downsampling modules spared"
SWAPS = "random swaps"
FILE = "reference.csv"
"""Name of the authors' points beside the tables of a study."""


def text() -> str:
    """Returns the authors' figures as CSV; reference/README.md describes source and columns."""
    path = files("residual_ensembles.figures") / "reference" / "veit2016.csv"
    return path.read_text(encoding="utf-8")


def write_reference(folder: Path) -> None:
    """Puts the authors' figures beside the tables of a study.

    Example:
        >>> write_reference(results)
        >>> (results / "reference.csv").exists()
        True
    """
    write_text(folder / FILE, text())


@cache
def reference() -> pd.DataFrame:
    """Returns the same as a table."""
    return pd.read_csv(StringIO(text()))


def points(network: str, plan: str, gating: str = "none") -> pd.DataFrame:
    """Returns the authors' points of one curve, sorted along it.

    Args:
        network: resnet110, resnet200, vgg, ...
        plan: What was done to it, as reference/README.md lists.
        gating: How it was trained, none or stochastic_depth.
    """
    rows = reference()
    rows = rows[(rows.network == network) & (rows.plan == plan) & (rows.gating == gating)]
    return rows.sort_values("x", ignore_index=True)


def intact_error(network: str, gating: str = "none") -> float:
    """Returns the authors' error without lesion, as a fraction."""
    return float(points(network, "none", gating).error_mean.iloc[0])
