"""Specification of a figure: how it is drawn, and the text around it."""

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.figures import authors


@dataclass(frozen=True)
class FigureSpec:
    """One figure.

    Attributes:
        name: File name without its ending; its first part, such as fig3, is the figure's number.
        title: What it shows.
        paper: What the paper says about it, reworded, or the reason for a figure of our own.
        source: The figure of the paper; empty for one of our own.
        table: The table of the study that it is drawn from; empty where it is counted.
        draw: Draws it from a study's tables.
        rests_on: Returns the numbers of lesions, images, draws and seeds behind it.
        finding: Returns the result in a sentence, where no claim does; empty without its table.
        ours: Whether it has data of the study, and not the authors' points alone.
        authors: Whether the authors' points are drawn in it.
        wanted: Whether it is drawn for a study; by default for every study.
    """

    name: str
    title: str
    paper: str
    draw: Callable[[Tables], Figure]
    rests_on: Callable[[Tables], str]
    source: str = ""
    table: str = ""
    finding: Callable[[Tables], str] = lambda tables: ""
    ours: Callable[[Tables], bool] = lambda tables: True
    authors: Callable[[Tables], bool] = lambda tables: False
    wanted: Callable[[Tables], bool] = lambda tables: True

    @property
    def number(self) -> str:
        """The figure's short name, such as fig3."""
        return self.name.split("_")[0]

    def drawn_from(self, tables: Tables) -> list[str]:
        """Returns the names of the tables that it is drawn from, the authors' included."""
        own = [self.table] if self.table and self.ours(tables) else []
        return own + ([authors.FILE] if self.authors(tables) else [])
