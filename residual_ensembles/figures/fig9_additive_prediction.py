"""Cost of random deletions against the sum of the costs of their modules alone."""

import pandas as pd
from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables, predicted_and_real
from residual_ensembles.figures import errors, style
from residual_ensembles.figures.figure_spec import FigureSpec
from residual_ensembles.statistics.rank_correlation import spearman


def lesions(tables: Tables) -> pd.DataFrame:
    """Returns predicted and real cost of every random deletion of the plain networks."""
    frames = [
        predicted_and_real(tables, network, run.seed)
        for network in tables.plain
        for run in tables.of(network)
    ]
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws a point per random deletion, and the line on which costs would simply add up."""
    figure = Figure(figsize=(7.2, 3.6))
    axes = figure.subplots()
    points = lesions(tables)
    if points.empty:
        style.missing(axes, "no random deletions with single ones beside them in this study")
        return figure
    for sweep, (label, look) in errors.SWEEPS.items():
        some = points[points["sweep"] == sweep]
        axes.plot(
            100 * some.predicted,
            100 * some.real,
            look.marker,
            color=look.color,
            alpha=0.6,
            markersize=3,
            markeredgewidth=0,
            label=label,
        )
    additive = spearman(points.predicted, points.real)
    number = spearman(points.n_operations, points.real)
    end = 100 * max(points.real.max(), 0.01)
    axes.plot(
        [0, end],
        [0, end],
        color=style.INK,
        linewidth=0.9,
        linestyle=style.DASHED,
        label="costs add up",
    )
    axes.set_xlabel("Sum of the single costs of the deleted modules (points of error)")
    axes.set_ylabel("Real cost (points of error)")
    axes.set_title(
        f"Spearman's ρ with the real cost: sum {additive:.3f}, number of modules {number:.3f} "
        "(authors' data: 0.957, 0.814)",
        fontsize=8.5,
    )
    axes.legend(loc="lower right")
    style.caption(figure, rests_on(tables))
    return figure


def finding(tables: Tables) -> str:
    """Returns how well costs add up, in rank."""
    points = lesions(tables)
    if points.empty:
        return ""
    return (
        "Spearman's correlation with the real cost: "
        f"{spearman(points.predicted, points.real):.3f} of the sum of single costs, "
        f"{spearman(points.n_operations, points.real):.3f} of the number of modules alone."
    )


def rests_on(tables: Tables) -> str:
    return errors.bases(tables, tables.plain, *errors.SWEEPS)


FIGURE = FigureSpec(
    name="fig9_additive_prediction",
    title="Single costs, added up, against the real cost",
    paper="If modules did not depend on each other, costs would add up; the rank "
    "correlation says how much it matters which modules go, and not only how many.",
    table="lesions.csv",
    draw=draw,
    rests_on=rests_on,
    finding=finding,
)
