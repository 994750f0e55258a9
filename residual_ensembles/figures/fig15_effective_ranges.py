"""The effective range of path lengths under each reading, network by network."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.figures import style
from residual_ensembles.figures.figure_spec import FigureSpec
from residual_ensembles.paths.length_profile import PAPER_N

READINGS = {
    "mean_norm_times_paths": ("mean norm × number of paths (the paper's)", style.PLAIN),
    "norm_of_sum": ("norm of the sum", style.EXACT),
    "projection": ("projection on the gradient", style.PROJECTED),
}
SPACING = 0.22
"""Distance of the readings of one network; networks are 1 apart."""


def ranges(tables: Tables) -> dict[str, pd.DataFrame]:
    """Returns the ranges at y₀ after training, by network; of one seed each."""
    result = {}
    for network in tables.networks:
        rows = tables.gradient_ranges
        seed = tables.of(network)[0].seed
        rows = rows[(rows.network == network) & (rows.seed == seed) & (rows.target == "y0")]
        rows = rows[rows.epoch == rows.epoch.max()]
        if len(rows):
            result[network] = rows.drop_duplicates("reading").set_index("reading")
    return result


def _range(axes: Axes, row, y: float, look: style.Look, label: str) -> None:
    """Draws one range as a line between two marks, the interval of each end as a pale bar."""
    style.curve(axes, [row["first"], row["last"]], [y, y], look, label)
    for end in ("first", "last"):
        low, high = row[f"{end}_low"], row[f"{end}_high"]
        if low == low:
            axes.plot([low, high], [y, y], color=look.color, alpha=0.3, linewidth=6, zorder=2)


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws a row for each network, in it a range for each reading."""
    result = ranges(tables)
    figure = Figure(figsize=(7.2, 1.7 + 0.55 * max(len(result), 2)))
    axes = figure.subplots()
    style.shade_effective_paths(axes, tables, "paper: 5–17")
    named = set()
    for i, rows in enumerate(result.values()):
        for j, (reading, (label, look)) in enumerate(READINGS.items()):
            if reading in rows.index:
                label = "_" if reading in named else label
                _range(axes, rows.loc[reading], i + SPACING * (j - 1), look, label)
                named.add(reading)
    axes.set_yticks(range(len(result)), list(result))
    axes.set_ylim(max(len(result), 1) - 0.5, -0.5)
    style.count_axis(axes, "Path length (modules)")
    axes.grid(axis="y", visible=False)
    if result:
        axes.set_xlim(left=-0.5)
        style.legend_above(axes)
    else:
        style.missing(axes, "no path gradients in this study")
    style.caption(figure, rests_on(tables))
    return figure


def finding(tables: Tables) -> str:
    """Returns every range with the intervals of its ends."""
    named = []
    for network, rows in ranges(tables).items():
        for reading, (label, _) in READINGS.items():
            if reading in rows.index:
                row = rows.loc[reading]
                ends = " to ".join(_end(row, end) for end in ("first", "last"))
                carried = f"; 5 to 17 carry {100 * row.share_5_to_17:.0f} %"
                is_meant = tables.n_modules(network) == PAPER_N
                named.append(f"{network}, {label}: {ends}{carried if is_meant else ''}")
    return ". ".join(named) + "." if named else ""


def _end(row, end: str) -> str:
    """Returns one end of a range, with its interval where there is one."""
    low, high = row[f"{end}_low"], row[f"{end}_high"]
    return f"{row[end]:.0f}" + (f" ({low:.0f}–{high:.0f})" if low == low else "")


def rests_on(tables: Tables) -> str:
    result = ranges(tables)
    if not result:
        return "no path gradients in this study"
    n = max(int(rows.n_batches.max()) for rows in result.values())
    return (
        f"shortest range of lengths that carries 95 %; {n:,} batches of the train split, pale: 95 "
        "% interval of each end by bootstrap over batches; one seed of each network; the paper's "
        "reading where single paths were sampled"
    )


FIGURE = FigureSpec(
    name="fig15_effective_ranges",
    title="Effective paths, under each reading",
    paper="Almost all gradient updates come from paths of 5 to 17 modules. What that range is "
    "depends on how much gradient a set of paths is said to carry, and on the network.",
    table="path_gradients_ranges.csv",
    draw=draw,
    rests_on=rests_on,
    finding=finding,
)
