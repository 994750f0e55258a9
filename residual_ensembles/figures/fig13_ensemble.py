"""A residual network that loses modules beside an ensemble of small networks that loses members."""

from itertools import cycle

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.analysis.curves import error_by_size
from residual_ensembles.analysis.voting import VOTES
from residual_ensembles.figures import errors, style
from residual_ensembles.figures.fig6_path_gradients import modules_of
from residual_ensembles.figures.figure_spec import FigureSpec

LOOKS = {"average": style.AVERAGE_VOTE, "majority": style.MAJORITY_VOTE}
LABELS = {"average": "ensemble: mean of the softmaxes", "majority": "ensemble: majority"}


def votes(tables: Tables) -> dict[str, pd.DataFrame]:
    """Returns errors by number of members in percent, by way to vote."""
    result = {vote: error_by_size(tables, vote) for vote in VOTES}
    for curve in result.values():
        curve[["error", "low", "high"]] *= 100
    return {vote: curve for vote, curve in result.items() if len(curve)}


def _at_equal_cost(axes: Axes, tables: Tables, result: dict[str, pd.DataFrame]) -> None:
    n = modules_of(tables)
    for plain, own in zip(tables.plain, cycle(style.DISTINCT), strict=False):
        n_of_plain = tables.n_modules(plain) or n
        for sweep, (label, look) in errors.SWEEPS.items():
            if len(tables.plain) > 1:
                look = own._replace(linestyle=look.linestyle)
            points = errors.by_operations(tables, plain, sweep)
            if len(points):
                start = {"n_operations": 0, "error": errors.intact(tables, plain)}
                points = pd.concat([pd.DataFrame([start]), points], ignore_index=True)
                left = 100 * (1 - points.n_operations / n_of_plain)
                label = f"{plain}, modules deleted: {label}"
                errors.draw_curve(axes, left, points, look, label)
    for vote, curve in result.items():
        left = 100 * curve.n_modules / n
        errors.draw_curve(axes, left, curve, LOOKS[vote], LABELS[vote])
    has_depths = len(style.by_depth(tables)) > 1
    axes.set_xlabel("Modules left (% of each)" if has_depths else f"Modules left (% of {n})")
    axes.set_title("(a) By modules left")
    axes.set_xlim(102, 0)
    style.error_axis(axes)


def _closer(axes: Axes, tables: Tables, result: dict[str, pd.DataFrame]) -> None:
    for vote, curve in result.items():
        errors.draw_curve(axes, curve["size"], curve, LOOKS[vote], "_")
    for plain in tables.plain if result else ():
        look, label = style.PLAIN, f"{plain}, intact"
        error = errors.intact(tables, plain)
        axes.axhline(error, color=look.color, linestyle=style.DASHED, linewidth=1, label=label)
    axes.set_xlabel("Members that vote")
    axes.set_ylabel("Test error (%)")
    axes.set_title("(b) The ensemble, closer")
    axes.set_ylim(bottom=0)
    style.integer_ticks(axes)


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws both against what is left of their cost, and the ensemble alone by its members."""
    figure = Figure(figsize=(7.2, 3.9))
    left, right = figure.subplots(1, 2)
    result = votes(tables)
    _at_equal_cost(left, tables, result)
    _closer(right, tables, result)
    if not result:
        style.missing(right, "no ensemble in this study")
    lines = [line for axes in (left, right) for line in axes.get_legend_handles_labels()[0]]
    if lines:
        figure.legend(handles=lines, loc="outside upper center", ncols=2, fontsize=7.5)
    style.caption(figure, rests_on(tables))
    return figure


def rests_on(tables: Tables) -> str:
    deleted = errors.bases(tables, tables.plain, *errors.SWEEPS)
    members = tables.members
    if members.empty:
        return "; ".join(part for part in (deleted, "no ensemble in this study") if part)
    seeds = members.seed.nunique()
    of_images = "over images" if seeds == 1 else "over seeds"
    epochs = [int(run.facts.get("epochs", 0)) for n in tables.plain for run in tables.of(n)]
    longer = f" ({max(epochs)} for {tables.plain[0]})" if any(epochs) else ""
    return (
        f"{deleted}; ensemble: {len(members) // seeds} members of "
        f"{int(members.n_modules.iloc[0])} modules, {int(members.epochs.iloc[0])} epochs "
        f"each{longer}, all sub-ensembles of a size, {int(tables.ensemble.n_images.max()):,} test "
        f"images, {seeds} seed{'s' if seeds > 1 else ''}; bands: 95 % "
        f"{errors.bands_over(tables)}, {of_images}"
    )


FIGURE = FigureSpec(
    name="fig13_ensemble",
    title="A residual network beside an ensemble of as many modules",
    paper="Ensembles gain less from each further member; residual networks, though not strict "
    "ensembles, behave similarly. Modules left and members left are set on one axis here.",
    table="ensemble.csv",
    draw=draw,
    rests_on=rests_on,
)
