"""One look for all figures: colors, marks, and how they are written. Change a color here.

Colors are after Okabe and Ito's, which color-blind readers can distinguish, in shades that stand
out on white and on black; each network also has a marker and a line of its own, for print in gray.
Ink, paper and grid are colors that nothing else has, so that the page can replace them when it is
dark.
"""

import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from residual_ensembles.analysis.tables import Run, Tables
from residual_ensembles.models.architectures import family
from residual_ensembles.paths.length_profile import EFFECTIVE, PAPER_N
from residual_ensembles.storage.files import atomic_path

INK = "#1b1b1c"
PAPER = "#fefefe"
GRID = "#dadbdc"
AUTHORS = "#8c8c8c"
"""The authors' points, behind ours."""
DEAD = "#b9bbbe"
"""Paths that were deleted."""
DELETED = "#d55e00"
"""A module that was deleted."""
BAND_ALPHA = 0.22
DASHED = (0, (5, 2))


class Look(NamedTuple):
    """Color, marker and line of one curve."""

    color: str
    marker: str
    linestyle: str | tuple


PLAIN = Look("#1f7fc4", "o", "-")
SPARING = Look("#1f7fc4", "o", "-")
ANY = Look("#cc5c9c", "D", "--")
EFFECTIVE_PATHS = Look("#cc5c9c", "^", "-.")
STOCHASTIC_DEPTH = Look("#009e73", "v", "-")
HIGHWAY = Look("#b8860b", "P", ":")
VGG = Look("#d55e00", "s", "-")
EXACT = Look("#009e73", "v", "-")
PROJECTED = Look("#b8860b", "s", "-.")
SECOND_MARKERS = {"o": "*", "^": "<", "v": ">", "P": "X", "s": "D"}
"""The marker of a second network of a kind, by that of the first."""
FURTHER_LINES = ((0, (7, 1.5)), (0, (1, 0.8)), (0, (7, 1.5, 1, 1.5, 1, 1.5)))
"""Lines of the second, third and fourth network of a kind, which no first one has."""
FURTHER_SHADE = 0.8
"""Brightness of further networks of a kind, relative to the first."""
DISTINCT = (PLAIN, VGG, STOCHASTIC_DEPTH, EFFECTIVE_PATHS, HIGHWAY)
"""Looks of the first, second, … network of a kind in one panel: another color and marker each."""
AVERAGE_VOTE = Look("#009e73", "v", "-")
MAJORITY_VOTE = Look("#d55e00", "s", "-.")
BY_NUMBER = (Look("#1f7fc4", "o", "-"), Look("#009e73", "^", "--"), Look("#d55e00", "s", "-."))
"""Looks of three numbers of deleted modules, such as 1, 10 and 20."""

RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 3.6,
    "figure.facecolor": PAPER,
    "figure.constrained_layout.use": True,
    "savefig.facecolor": PAPER,
    "svg.fonttype": "none",  # text stays text: it can be searched and copied
    "svg.hashsalt": "residual-ensembles",  # equal figures are equal bytes
    "path.simplify": True,
    "text.parse_math": False,  # names from data may hold a dollar sign
}
PNG_DPI = 160
CAPTION_WIDTH = 125
"""Characters of small print that fit below a figure."""
PLAIN_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
"""Metadata of an SVG file that would differ from run to run, left out."""


def looks(runs: Sequence[Run]) -> dict[str, Look]:
    """Returns the look that each network has in every figure, by its name.

    The first network of a kind (model and gating) has the kind's color, marker and line. Further
    ones are darker, and have lines and, every other one, markers that no first one has: up to
    seven of a kind differ in gray too.
    """
    result: dict[str, Look] = {}
    n_of_kind: Counter[Look] = Counter()
    for run in runs:
        if run.network not in result:
            kind = _look_of_kind(run)
            result[run.network] = _further(kind, n_of_kind[kind])
            n_of_kind[kind] += 1
    return result


def _look_of_kind(run: Run) -> Look:
    by_gating = {"effective_paths": EFFECTIVE_PATHS, "stochastic_depth": STOCHASTIC_DEPTH}
    by_family = {"Highway": HIGHWAY, "VGG": VGG}
    return by_gating.get(run.gating) or by_family.get(family(run.model) or "", PLAIN)


def _further(kind: Look, before: int) -> Look:
    """Returns the look of a network that has so many of its kind before it."""
    if not before:
        return kind
    red, green, blue = (FURTHER_SHADE * part for part in to_rgb(kind.color))
    color = to_hex((red, green, blue))
    marker = SECOND_MARKERS[kind.marker] if before % 2 else kind.marker
    return Look(color, marker, FURTHER_LINES[(before - 1) % len(FURTHER_LINES)])


styled = matplotlib.style.context(RC, after_reset=True)
"""Decorator: a function draws in this look, whatever the caller's settings are."""


@styled
def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Writes a figure as SVG and PNG, the same bytes for the same figure.

    Args:
        figure: What a `draw` returned.
        folder: Folder to write to.
        name: File name without its ending.

    Returns:
        The two paths.

    Example:
        >>> from matplotlib.figure import Figure
        >>> figure = Figure()
        >>> _ = figure.subplots().plot([1, 2, 4])
        >>> [path.name for path in save(figure, folder, "doubling")]
        ['doubling.svg', 'doubling.png']
    """
    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    with atomic_path(svg) as temporary:
        figure.savefig(temporary, format="svg", metadata=PLAIN_METADATA)
    with atomic_path(png) as temporary:
        figure.savefig(temporary, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return svg, png


def curve(axes: Axes, x, y, look: Look, label: str, low=None, high=None) -> None:
    """Draws a curve of ours, with its interval as a band where there is one."""
    axes.plot(
        x, y, color=look.color, marker=look.marker, linestyle=look.linestyle, label=label, zorder=3
    )
    if low is not None:
        axes.fill_between(x, low, high, color=look.color, alpha=BAND_ALPHA, linewidth=0, zorder=2)


def dots(axes: Axes, x, y, look: Look, label: str) -> None:
    """Draws single measurements, behind the curve of their means."""
    axes.plot(
        x,
        y,
        ".",
        color=look.color,
        alpha=0.5,
        markersize=4.5,
        label=label,
        zorder=2,
        markeredgewidth=0,
    )


def authors_curve(axes: Axes, x, y, label: str, linestyle: str = "-") -> None:
    """Draws the authors' points, gray and behind ours."""
    axes.plot(
        x,
        y,
        color=AUTHORS,
        marker="x",
        markersize=3.2,
        linestyle=linestyle,
        linewidth=0.9,
        label=label,
        zorder=1.5,
    )


def note(axes: Axes, text: str, point: tuple, offset: tuple[float, float], **options) -> None:
    """Writes small print at a point of a panel, `offset` typographic points from it."""
    axes.annotate(text, point, offset, textcoords="offset points", fontsize=7.5, **options)


def missing(axes: Axes, text: str) -> None:
    """Writes into an empty panel why it is empty."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", wrap=True)


def caption(figure: Figure, text: str) -> None:
    """Writes below a figure the lesions, images and seeds behind it."""
    lines = textwrap.wrap(text, CAPTION_WIDTH, break_on_hyphens=False)
    figure.supxlabel("\n".join(lines), fontsize=7, x=0.01, ha="left")


def count_axis(axes: Axes, name: str) -> None:
    """Names the horizontal axis, and puts its ticks at integers."""
    axes.set_xlabel(name)
    integer_ticks(axes)


def integer_ticks(axes: Axes) -> None:
    """Puts the ticks of the horizontal axis at integers."""
    locator = axes.xaxis.get_major_locator()
    if isinstance(locator, MaxNLocator):
        locator.set_params(integer=True)


def error_axis(axes: Axes) -> None:
    """Gives an axis of errors its name, unit and range."""
    axes.set_ylabel("Test error (%)")
    axes.set_ylim(0, 100)


def by_depth(tables: Tables) -> dict[int, list[str]]:
    """Returns the plain residual networks by number of modules; the paper's, 54, without any."""
    result: dict[int, list[str]] = {}
    for network in tables.plain:
        result.setdefault(tables.n_modules(network) or PAPER_N, []).append(network)
    return result or {PAPER_N: []}


def has_paper_depth(tables: Tables) -> bool:
    """Whether a study has a network as deep as the paper's, or none at all."""
    return not tables.networks or PAPER_N in map(tables.n_modules, tables.networks)


def shade_effective_paths(axes: Axes, tables: Tables, label: str = "_") -> None:
    """Shades the paper's effective range, where the study has a network of the paper's depth."""
    if has_paper_depth(tables):
        axes.axvspan(*EFFECTIVE, color=GRID, linewidth=0, zorder=0, label=label)


def legend_over_all(figure: Figure, panels: Sequence[Axes]) -> None:
    """Puts one legend of these panels over all; what is drawn twice is named once."""
    named: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    if named:
        figure.legend(
            [*named.values()], [*named], loc="outside upper center", ncols=2, fontsize=7.5
        )


def legend_above(axes: Axes, columns: int = 2) -> None:
    """Puts the legend over the panel, where it hides nothing."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(-0.02, 1.0),
            ncols=columns,
            borderaxespad=0.2,
            handlelength=2.2,
            columnspacing=1.2,
        )
