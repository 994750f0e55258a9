"""The paper's effective range, 5 to 17 modules, in figures of networks as deep as its own."""

from matplotlib.axes import Axes

from residual_ensembles.analysis import Tables
from residual_ensembles.figures import style
from residual_ensembles.paths.length_profile import EFFECTIVE

PAPER_N = 54
"""Modules of the network that the range is of; it says nothing of others."""


def is_meant(tables: Tables) -> bool:
    """Whether a study has a network that the range speaks of, or none at all."""
    return not tables.networks or PAPER_N in map(tables.n_modules, tables.networks)


def shade(axes: Axes, tables: Tables, label: str = "_") -> None:
    """Shades the range, where the study has a network that it speaks of.

    Args:
        axes: Where the horizontal axis is path length in modules.
        tables: Tables of the study.
        label: Label for the legend.
    """
    if is_meant(tables):
        axes.axvspan(*EFFECTIVE, color=style.GRID, linewidth=0, zorder=0, label=label)
