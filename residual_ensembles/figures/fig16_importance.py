"""Cheap estimates of module importance against the true cost of deletion."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.figures import style
from residual_ensembles.figures.figure_spec import FigureSpec
from residual_ensembles.statistics.rank_correlation import spearman

ESTIMATES = {
    "block_influence": "Block influence (1 − cosine)",
    "first_order": "First-order estimate (nats)",
}
FEWEST = 3
"""Modules below which a rank correlation says nothing."""


def rank_correlation(rows: pd.DataFrame, estimate: str) -> float:
    """Returns Spearman's rank correlation of an estimate with the true increase of the loss."""
    if len(rows) < FEWEST:
        return float("nan")
    return float(spearman(rows[estimate], rows["loss_increase"]))


def draw_estimate(
    axes: Axes, rows: pd.DataFrame, estimate: str, look: style.Look, name: str
) -> None:
    """Draws an estimate against the true cost, a point a module, with the costliest by number."""
    rho = rank_correlation(rows, estimate)
    parts = [name, "" if np.isnan(rho) else f"rank correlation {rho:.2f}"]
    axes.plot(
        rows[estimate],
        rows["loss_increase"],
        look.marker,
        color=look.color,
        label=", ".join(filter(None, parts)) or "_",
    )
    for row in rows.nlargest(3, "loss_increase").itertuples():
        point = getattr(row, estimate), row.loss_increase
        style.note(axes, f"{row.module}", point, (4, 2))


def _points(axes: Axes, tables: Tables, estimate: str) -> None:
    looks = style.looks(tables.runs)
    for network, rows in tables.module_importance.groupby("network", sort=False):
        draw_estimate(axes, rows, estimate, looks[str(network)], str(network))
    axes.legend(loc="best", fontsize=7.5)


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws block influence on the left and the first-order estimate on the right."""
    figure = Figure(figsize=(7.2, 3.6))
    both = figure.subplots(1, 2, sharey=True)
    for axes, (estimate, label) in zip(both, ESTIMATES.items(), strict=True):
        axes.set_xlabel(label)
        if tables.module_importance.empty:
            style.missing(axes, "the importance of modules was\nnot estimated in this study")
        else:
            _points(axes, tables, estimate)
    both[0].set_ylabel("Increase of the loss when deleted (nats)")
    style.caption(figure, rests_on(tables))
    return figure


def rests_on(tables: Tables) -> str:
    if tables.module_importance.empty:
        return "no estimates in this study"
    counts = tables.module_importance.groupby("network", sort=False).size()
    return "; ".join(f"{network}: {n} modules" for network, n in counts.items())


def finding(tables: Tables) -> str:
    """Returns how well each estimate ranks the modules of each network."""
    text = []
    for network, rows in tables.module_importance.groupby("network", sort=False):
        influence, first = (rank_correlation(rows, estimate) for estimate in ESTIMATES)
        if not np.isnan(influence + first):
            text.append(
                f"{network}: rank correlation with the true cost {influence:.2f} for block "
                f"influence, {first:.2f} for the first-order estimate"
            )
    return "; ".join(text) + "." if text else ""


FIGURE = FigureSpec(
    name="fig16_importance",
    title="Block influence and a first-order estimate beside the true cost",
    paper="Not in the paper. Pruning work ranks modules by such estimates, each of one pass; the "
    "numbers are the modules whose deletion costs most.",
    table="module_importance.csv",
    draw=draw,
    rests_on=rests_on,
    finding=finding,
    wanted=lambda tables: not tables.module_importance.empty,
)
