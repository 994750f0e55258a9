"""Share of the gradient that comes through the residual of each module, by network."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.figures import style
from residual_ensembles.figures.fig6_path_gradients import modules_of
from residual_ensembles.figures.figure_spec import FigureSpec

SHARES = ["share_projected", "share_low", "share_high"]


def shares(tables: Tables) -> dict[str, pd.DataFrame]:
    """Returns the shares after training in percent, by network; of one seed each.

    A VGG has one path, on which every layer is: it is left out.
    """
    result = {}
    for network in tables.networks:
        run = tables.of(network)[0]
        rows = tables.gradient_modules
        rows = rows[(rows.network == network) & (rows.seed == run.seed)]
        if run.model == "vgg" or rows.empty:
            continue
        rows = rows[rows.epoch == rows.epoch.max()].sort_values("module", ignore_index=True)
        result[network] = rows.assign(**(100 * rows[SHARES].astype(float)))
    return result


def _panel(axes: Axes, tables: Tables, result: dict[str, pd.DataFrame]) -> None:
    looks = style.looks(tables.runs)
    for network, rows in result.items():
        style.curve(
            axes,
            rows.module,
            rows.share_projected,
            looks[network],
            network,
            rows.share_low,
            rows.share_high,
        )
    style.count_axis(axes, "Module")
    if result:
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.07), fontsize=7.5)
    else:
        style.missing(axes, "no such network with\npath gradients in this study")


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws a curve for each network, those of as many modules as the plain one on the left."""
    figure = Figure(figsize=(7.2, 4.2))
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    result, n = shares(tables), modules_of(tables)
    _panel(left, tables, {name: rows for name, rows in result.items() if len(rows) == n})
    _panel(right, tables, {name: rows for name, rows in result.items() if len(rows) != n})
    left.set_ylabel("Share of the gradient through it (%)")
    left.set_title(f"(a) {n} modules")
    right.set_title("(b) Other networks")
    style.caption(figure, rests_on(tables))
    return figure


def finding(tables: Tables) -> str:
    """Returns the module with the largest share of every network, and says how many a path has."""
    named = []
    for network, rows in shares(tables).items():
        top = rows.loc[rows.share_projected.idxmax()]
        # Shares over modules add up to the mean length of the paths, weighted by what they carry.
        length = rows.share_projected.sum() / 100
        named.append(
            f"{network}: module {int(top.module)} ({top.share_projected:.0f} %), mean length "
            f"{length:.1f}"
        )
    if not named:
        return ""
    return (
        "Module with the largest share, and mean length of the paths, each counted by its share of "
        f"the gradient: {'; '.join(named)}."
    )


def rests_on(tables: Tables) -> str:
    result = shares(tables)
    if not result:
        return "no path gradients in this study"
    n = max(int(rows.n.max()) for rows in result.values())
    return (
        f"projection on the gradient at y₀ of all paths through a module's residual, exact, {n:,} "
        "batches of the train split, bands: 95 % over batches; one seed of each network; a path "
        "counts for every module on it"
    )


FIGURE = FigureSpec(
    name="fig14_gradient_by_module",
    title="Which modules the gradient comes through",
    paper="The paper asks how long the paths are that carry the gradient, not which modules are "
    "on them. A module counts with all paths through its residual.",
    table="path_gradients_modules.csv",
    draw=draw,
    rests_on=rests_on,
    finding=finding,
)
