"""Errors while modules are deleted one after another, each time the one that costs least."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.figures import style
from residual_ensembles.figures.figure_spec import FigureSpec


def _pruned(tables: Tables) -> list[tuple[str, str, pd.DataFrame]]:
    """Returns network, label and steps of each run that was pruned."""
    runs = tables.pruned_steps.groupby(["network", "seed"], sort=False)
    several = tables.pruned_steps.seed.nunique() > 1
    return [
        (str(network), f"{network}, seed {seed}" if several else str(network), rows)
        for (network, seed), rows in runs
    ]


def draw_steps(
    axes: Axes, modules: pd.Series, cost: pd.Series, look: style.Look, label: str
) -> None:
    """Draws the cost after each step, with the number of its module; 0 is before the first."""
    style.curve(axes, range(len(cost)), cost, look, label)
    for i, (module, value) in enumerate(zip(modules, cost, strict=True)):
        if module:
            style.note(axes, f"{module}", (i, value), (0, 5), ha="center")


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws a curve for each run, with the number of each module that was deleted."""
    figure = Figure(figsize=(5.2, 3.6))
    axes = figure.subplots()
    looks = style.looks(tables.runs)
    for network, label, rows in _pruned(tables):
        draw_steps(axes, rows["module"], 100 * rows["error_fraction"], looks[network], label)
    style.count_axis(axes, "Modules deleted")
    axes.set_ylabel("Error (%)")
    if tables.pruned_steps.empty:
        style.missing(axes, rests_on(tables))
    else:
        axes.set_ylim(bottom=0)
        axes.legend(loc="best", fontsize=7.5)
    style.caption(figure, rests_on(tables))
    return figure


def rests_on(tables: Tables) -> str:
    if tables.pruned_steps.empty:
        return "nothing was pruned in this study"
    n_images = int(tables.pruned_steps.n_examples.max())
    return f"{n_images:,} images, on which each module was chosen by the true cost of its deletion"


def finding(tables: Tables) -> str:
    """Returns the modules that were deleted and what that cost."""
    text = []
    for _, label, rows in _pruned(tables):
        first, last = rows["error_fraction"].iloc[[0, -1]]
        modules = ", ".join(map(str, rows["module"][1:]))
        text.append(f"{label}: {100 * first:.1f} % to {100 * last:.1f} % without {modules}")
    return "; ".join(text) + "." if text else ""


FIGURE = FigureSpec(
    name="fig17_pruning",
    title="Pruning, one module after another",
    paper="Not in the paper. At each step the module goes whose deletion costs least, all "
    "others being tried; the numbers are these modules. The images decide and measure, which "
    "flatters; pruned.csv has the error on the test images.",
    table="pruned_steps.csv",
    draw=draw,
    rests_on=rests_on,
    finding=finding,
    wanted=lambda tables: not tables.pruned_steps.empty,
)
