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

DEEP = "resnet110"
"""The network that the paper is about."""
BY_MODULES = {9: "resnet20", 15: "resnet32", 21: "resnet44", 27: "resnet56", 54: DEEP}
"""The authors' networks on CIFAR-10, by number of modules."""


def network_of(n_modules: int) -> str:
    """Returns the authors' network with a number of modules, ResNet-110 where they have none."""
    return BY_MODULES.get(n_modules, DEEP)


def title(network: str) -> str:
    """Returns the display name of a network of the authors on CIFAR-10.

    >>> title("resnet110"), title("vgg")
    ('ResNet-110', 'VGG')
    """
    return network.replace("resnet", "ResNet-").replace("vgg", "VGG")


def text() -> str:
    """Returns the authors' figures as CSV; reference/README.md describes source and columns."""
    path = files("residual_ensembles.figures") / "reference" / "veit2016.csv"
    return path.read_text(encoding="utf-8")


def write_reference(folder: Path) -> None:
    """Writes the authors' figures into the folder of a study.

    Example:
        >>> write_reference(results)
        >>> (results / "reference.csv").exists()
        True
    """
    write_text(folder / FILE, text())


@cache
def reference() -> pd.DataFrame:
    """Returns the authors' figures as a table."""
    return pd.read_csv(StringIO(text()))


def points(network: str, plan: str, gating: str = "none") -> pd.DataFrame:
    """Returns the authors' points of one curve, sorted along it; reference/README.md lists all."""
    rows = reference()
    rows = rows[(rows.network == network) & (rows.plan == plan) & (rows.gating == gating)]
    return rows.sort_values("x", ignore_index=True)


def intact_error(network: str, gating: str = "none") -> float:
    """Returns the authors' error without lesion, as a fraction."""
    return float(points(network, "none", gating).error_mean.iloc[0])
