"""The exact decomposition of the gradient by path length, through training and between networks."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.analysis.gradients import final_gradients, reading
from residual_ensembles.figures import paper_range, style
from residual_ensembles.figures.fig6_path_gradients import modules_of
from residual_ensembles.figures.picture import Picture

BEFORE = "before training"


def by_epoch(tables: Tables, network: str, seed: int) -> dict[int, pd.DataFrame]:
    """Returns the exact decomposition at y₀ of one network, by epoch; 0 is before training."""
    rows = tables.gradients
    rows = rows[
        (rows.network == network)
        & (rows.seed == seed)
        & (rows.estimator == "exact")
        & (rows.target == "y0")
        & rows.share_projected.notna()
    ]
    return {int(epoch): found.sort_values("length") for epoch, found in rows.groupby("epoch")}


def _curve(axes: Axes, rows: pd.DataFrame, look: style.Look, label: str) -> None:
    """Draws shares by length in percent, with their intervals."""
    share, low, high = (100 * values for values in reading(rows, "share_projected"))
    style.curve(axes, rows.length, share, look, label, low, high)


def _through_training(axes: Axes, tables: Tables) -> None:
    for network in tables.plain[:1]:
        found = by_epoch(tables, network, tables.of(network)[0].seed)
        colors = colormaps["viridis"](np.linspace(0.2, 0.85, max(len(found), 1)))
        for i, (epoch, rows) in enumerate(found.items()):
            when = _when(tables, network, epoch)
            look = style.Look(to_hex(colors[i]), "", (0, (3, 1.5)) if when == BEFORE else "-")
            _curve(axes, rows, look, when.removeprefix("at "))
        given = tables.of(network)[0].is_given
        axes.set_title(f"(a) {network}{'' if given else ', through training'}")


def _when(tables: Tables, network: str, epoch: int) -> str:
    """Returns at which time of its training a network was taken apart, as far as it is known."""
    if tables.of(network)[0].is_given:
        return "as it was given"
    return f"at epoch {epoch}" if epoch else BEFORE


def _between_networks(axes: Axes, tables: Tables) -> None:
    longest, looks = modules_of(tables), style.looks(tables.runs)
    for network in tables.networks:
        rows = final_gradients(tables, network, tables.of(network)[0].seed, "exact")
        if tables.n_modules(network) == longest and len(rows):
            _curve(axes, rows, looks[network], network)
    axes.set_title("(b) After training")


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws the share of the gradient by length: epochs on the left, networks on the right."""
    figure = Figure(figsize=(7.2, 4.0))
    left, right = figure.subplots(1, 2, sharey=True)
    _through_training(left, tables)
    _between_networks(right, tables)
    for axes in (left, right):
        if axes.lines:
            axes.legend(loc="upper right", fontsize=7.5)
        else:
            style.missing(axes, "no exact path gradients\nin this study")
        paper_range.shade(axes, tables)
        axes.set_xlabel("Path length (modules)")
        axes.xaxis.get_major_locator().set_params(integer=True)
    left.set_ylabel("Share of the gradient (%), projected")
    style.caption(figure, rests_on(tables))
    return figure


def found(tables: Tables) -> str:
    """Says where the largest share is, in every curve of the plain network."""
    peaks = []
    for network in tables.plain[:1]:
        for epoch, rows in by_epoch(tables, network, tables.of(network)[0].seed).items():
            top = rows.loc[rows.share_projected.astype(float).idxmax()]
            when = _when(tables, network, epoch)
            share = 100 * float(top.share_projected)
            peaks.append(f"{when} at length {int(top.length)} ({share:.0f} %)")
    return f"The largest share of {tables.plain[0]} is {', '.join(peaks)}." if peaks else ""


def rests_on(tables: Tables) -> str:
    """Says what the curves rest on."""
    rows = tables.gradients[tables.gradients.estimator == "exact"]
    if rows.empty:
        return "no exact path gradients in this study"
    return (
        f"exact over all paths of each length, {int(rows.n.max()):,} batches of the train part; "
        "one seed of each network; bands: 95 % over batches"
        f"{'; grey: 5–17' if paper_range.is_meant(tables) else ''}"
    )


FIGURE = Picture(
    name="fig12_training",
    title="Which lengths carry the gradient, through training and between networks",
    paper="The paper decomposes the gradient of one trained network. Before training, and after "
    "another way of training, the effective paths need not be the same.",
    source="",
    table="path_gradients.csv",
    draw=draw,
    rests_on=rests_on,
    found=found,
)
