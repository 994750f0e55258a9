"""The exact decomposition of the gradient by path length, during training, by network."""

import math
from string import ascii_lowercase

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.analysis.gradient_readings import final_gradients, reading
from residual_ensembles.figures import style
from residual_ensembles.figures.fig6_path_gradients import modules_of
from residual_ensembles.figures.figure_spec import FigureSpec
from residual_ensembles.paths.length_profile import PAPER_N

BEFORE = "before training"
COLUMNS = 3
"""Panels side by side."""


def by_epoch(tables: Tables, network: str, seed: int) -> dict[int, pd.DataFrame]:
    """Returns the exact decomposition at y₀ of one network, by epoch; 0 is before training."""
    rows = _decompositions(tables)
    rows = rows[(rows.network == network) & (rows.seed == seed)]
    return {int(epoch): result.sort_values("length") for epoch, result in rows.groupby("epoch")}


def _decompositions(tables: Tables) -> pd.DataFrame:
    rows = tables.gradients
    return rows[(rows.estimator == "exact") & (rows.target == "y0") & rows.share_projected.notna()]


def networks(tables: Tables) -> dict[str, dict[int, pd.DataFrame]]:
    """Returns the decompositions of one seed of each network whose paths differ in length.

    A VGG has one path, which carries all: there is nothing to see.
    """
    result = {n: by_epoch(tables, n, tables.of(n)[0].seed) for n in tables.networks}
    return {
        network: epochs
        for network, epochs in result.items()
        if any(rows.length.nunique() > 1 for rows in epochs.values())
    }


def _curve(axes: Axes, rows: pd.DataFrame, look: style.Look, label: str) -> None:
    """Draws shares by length in percent, with their intervals."""
    share, low, high = (100 * values for values in reading(rows, "share_projected"))
    style.curve(axes, rows.length, share, look, label, low, high)


def _when(tables: Tables, network: str, epoch: int) -> str:
    """Returns at which time of its training a network was decomposed, as far as it is known."""
    if tables.of(network)[0].is_external:
        return "as it was given"
    return f"at epoch {epoch}" if epoch else BEFORE


def _label(tables: Tables, network: str, epoch: int, rows: pd.DataFrame) -> str:
    modes = " and ".join(rows.batch_norm.unique())
    return f"{_when(tables, network, epoch)} (batch norm: {modes})"


def _through_training(
    axes: Axes,
    tables: Tables,
    network: str,
    epochs: dict[int, pd.DataFrame],
    colors: dict[int, str],
) -> None:
    for epoch, rows in epochs.items():
        line = "-" if epoch else (0, (3, 1.5))
        label = _label(tables, network, epoch, rows)
        _curve(axes, rows, style.Look(colors[epoch], "", line), label)
    if tables.n_modules(network) == PAPER_N:
        style.shade_effective_paths(axes, tables)


def _compared(axes: Axes, tables: Tables) -> None:
    """Draws the networks that have as many modules as the plain one, after training."""
    looks = style.looks(tables.runs)
    for network in of_equal_depth(tables):
        rows = final_gradients(tables, network, tables.of(network)[0].seed, "exact")
        _curve(axes, rows, looks[network], network)
    axes.legend(loc="upper right", fontsize=6.5)
    if modules_of(tables) == PAPER_N:
        style.shade_effective_paths(axes, tables)


def of_equal_depth(tables: Tables) -> tuple[str, ...]:
    """Returns the networks that share an axis: those of as many modules as the plain one."""
    n = modules_of(tables)
    return tuple(network for network in networks(tables) if tables.n_modules(network) == n)


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws the share of the gradient by length: a panel a network, and one that compares them."""
    result = networks(tables)
    epochs = sorted({epoch for of_network in result.values() for epoch in of_network})
    shades = colormaps["viridis"](np.linspace(0.2, 0.85, max(len(epochs), 1)))
    colors = dict(zip(epochs, map(to_hex, shades), strict=False))
    compares = len(of_equal_depth(tables)) > 1
    n_panels = max(len(result) + compares, 1)
    columns = min(COLUMNS, n_panels)
    n_rows = math.ceil(n_panels / columns)
    figure = Figure(figsize=(7.2, 1.1 + 2.2 * n_rows))
    grid = figure.subplots(n_rows, columns, sharey=True, squeeze=False)
    panels = list(grid.flat)
    for axes, letter, network in zip(panels, ascii_lowercase, result, strict=False):
        _through_training(axes, tables, network, result[network], colors)
        axes.set_title(f"({letter}) {network}", fontsize=8)
    if compares:
        _compared(panels[len(result)], tables)
        title = f"({ascii_lowercase[len(result)]}) After training"
        panels[len(result)].set_title(title, fontsize=8)
    if not result:
        style.missing(panels[0], "no exact path gradients\nin this study")
    for axes in panels[:n_panels]:
        style.count_axis(axes, "Path length (modules)")
    for axes in panels[n_panels:]:
        axes.set_axis_off()
    figure.supylabel("Share of the gradient (%), projected", fontsize=9)
    style.legend_over_all(figure, panels[: len(result)])
    style.caption(figure, rests_on(tables))
    return figure


def finding(tables: Tables) -> str:
    """Returns the lengths with the largest share: of the plain network by epoch, others at last."""
    plain, others = [], []
    for network, epochs in networks(tables).items():
        for epoch, rows in epochs.items():
            if network in tables.plain[:1]:
                plain.append(f"{_when(tables, network, epoch)} {_peak(rows)}")
        if network not in tables.plain[:1]:
            others.append(f"{network} {_peak(epochs[max(epochs)])}")
    sentences = []
    if plain:
        sentences.append(f"The largest share of {tables.plain[0]} is {', '.join(plain)}.")
    if others:
        sentences.append(f"The largest share of others, in the end: {', '.join(others)}.")
    return " ".join(sentences)


def _peak(rows: pd.DataFrame) -> str:
    top = rows.loc[rows.share_projected.astype(float).idxmax()]
    return f"at length {int(top.length)} ({100 * float(top.share_projected):.0f} %)"


def batch_norms(tables: Tables) -> str:
    """Returns which statistics batch normalization used when, as the table does."""
    when: dict[str, dict[str, None]] = {}
    for network, epochs in networks(tables).items():
        for epoch, rows in sorted(epochs.items()):
            for mode in rows.batch_norm.unique():
                when.setdefault(mode, {})[_when(tables, network, epoch)] = None
    modes = [f"{mode} mode {', '.join(times)}" for mode, times in when.items()]
    text = f"batch norm in {', in '.join(modes)}"
    return f"{text} (each mode is another function of the images)" if len(modes) > 1 else text


def rests_on(tables: Tables) -> str:
    if not networks(tables):
        return "no exact path gradients in this study"
    return (
        f"exact over all paths of each length, {int(_decompositions(tables).n.max()):,} batches of "
        f"the train split; {batch_norms(tables)}; one seed of each network; bands: 95 % over "
        f"batches{'; gray: 5–17' if style.has_paper_depth(tables) else ''}"
    )


FIGURE = FigureSpec(
    name="fig12_training",
    title="Which lengths carry the gradient, through training and between networks",
    paper="The paper decomposes the gradient of one trained network. Before training, and after "
    "another way of training, the effective paths need not be the same.",
    table="path_gradients.csv",
    draw=draw,
    rests_on=rests_on,
    finding=finding,
)
