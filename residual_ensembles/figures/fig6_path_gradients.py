"""Fig. 6: how many paths there are of each length, how much gradient each brings, and both."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.analysis.gradient_readings import final_gradients, log10_counts, readings
from residual_ensembles.figures import style
from residual_ensembles.figures.figure_spec import FigureSpec
from residual_ensembles.paths import effective_range, lengths
from residual_ensembles.paths.length_profile import PAPER_N

LOOKS = {"sampled": style.PLAIN, "exact": style.EXACT, "projected": style.PROJECTED}
NUMBERS = {"log10_norm": float, "log10_norm_low": float, "log10_norm_high": float}


def modules_of(tables: Tables) -> int:
    """Returns n of the study's plain residual network, or the paper's."""
    return next((n for name in tables.plain if (n := tables.n_modules(name))), PAPER_N)


def _lengths(axes: Axes, n: int) -> None:
    share = [100 * float(s) for s in lengths.binomial(n)]
    tail = (1 - 0.95) / 2
    below = np.cumsum(share) / 100
    middle = (
        (19, 35)
        if n == PAPER_N
        else (int(np.searchsorted(below, tail)), int(np.searchsorted(below, 1 - tail)))
    )
    inside = [middle[0] <= x <= middle[1] for x in range(n + 1)]
    colors = [style.PLAIN.color if i else style.DEAD for i in inside]
    axes.bar(range(n + 1), share, color=colors, width=0.85)
    within = 100 * float(lengths.share_within(n, *middle))
    _in_corner(axes, f"{middle[0]}–{middle[1]}:\n{within:.1f} %", 8)
    axes.set_title("(a) Paths by length")
    axes.set_ylabel("Share of all paths (%)")


def _in_corner(axes: Axes, text: str, size: float) -> None:
    axes.text(0.98, 0.97, text, transform=axes.transAxes, ha="right", va="top", fontsize=size)


def _norms(axes: Axes, tables: Tables, networks: Sequence[str]) -> None:
    for network in networks:
        counts = log10_counts(tables.n_modules(network) or modules_of(tables))
        for run in tables.of(network):
            sampled = final_gradients(tables, network, run.seed, "sampled").astype(NUMBERS)
            exact = final_gradients(tables, network, run.seed, "exact").astype(NUMBERS)
            if len(sampled):
                low, high = sampled.log10_norm_low, sampled.log10_norm_high
                label = "sampled: mean norm of a path (b), times their number (c)"
                style.curve(axes, sampled.length, sampled.log10_norm, style.PLAIN, label, low, high)
            if len(exact):
                average = exact.log10_norm - counts[exact.length]
                label = "exact: norm of the mean of all paths (b), of their sum (c)"
                low, high = (
                    exact[end] - counts[exact.length]
                    for end in ("log10_norm_low", "log10_norm_high")
                )
                style.curve(axes, exact.length, average, style.EXACT, label, low, high)
    axes.set_title("(b) Gradient of one path")
    axes.set_ylabel("log₁₀ of the norm at y₀")


def _amounts(axes: Axes, tables: Tables, n: int, networks: Sequence[str]) -> None:
    if n == PAPER_N or not networks:
        style.shade_effective_paths(axes, tables, "paper: 5–17")
    ranges: dict[str, dict[str, None]] = {}
    for network in networks:
        for run in tables.of(network):
            for name, (amounts, *ends) in readings(tables, network, run.seed).items():
                # the other two are in the legend already, from panel (b)
                label = "exact: projection on the gradient (c)" if name == "projected" else "_"
                x, (below, above) = range(len(amounts)), (100 * end for end in ends)
                style.curve(axes, x, 100 * amounts, LOOKS[name], label, below, above)
                low, high = effective_range(amounts)
                ranges.setdefault(name, {})[f"{low}–{high}"] = None
    if ranges:
        result = [f"{', '.join(of_name)} {name}" for name, of_name in ranges.items()]
        _in_corner(axes, "95 % of it:\n" + "\n".join(result), 7.5)
    axes.set_title("(c) Gradient by length")
    axes.set_ylabel("Share of the gradient (%)")


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws the three panels for the study's plain residual networks, a row for each depth."""
    depths = style.by_depth(tables)
    figure = Figure(figsize=(7.2, 3.5 + 2.2 * (len(depths) - 1)))
    rows = figure.subplots(len(depths), 3, squeeze=False)
    for (a, b, c), (n, networks) in zip(rows, depths.items(), strict=True):
        _lengths(a, n)
        _norms(b, tables, networks)
        _amounts(c, tables, n, networks)
        for axes in (b, c):
            if not axes.lines:
                style.missing(axes, "no path gradients\nin this study")
        for axes in (a, b, c):
            style.count_axis(axes, "Path length (modules)")
            axes.set_xlim(-0.5, n + 0.5)
        if len(depths) > 1:
            a.set_title(f"(a) Paths of {', '.join(networks)}")
    style.legend_over_all(figure, tuple(rows.flat))
    style.caption(figure, rests_on(tables))
    return figure


def measurements(tables: Tables) -> str:
    """Returns what the gradients of the plain networks rest on."""
    parts = []
    for network in tables.plain:
        rows = tables.gradients[tables.gradients.network == network]
        for estimator, unit in (("sampled", "sampled paths per length"), ("exact", "batches")):
            result = rows[rows.estimator == estimator]
            if len(result):
                seeds = result.seed.nunique()
                parts.append(
                    f"{network}, {estimator}: {int(result.n.max()):,} {unit}, {seeds} "
                    f"seed{'s' if seeds > 1 else ''}"
                )
    return "; ".join(parts) or "no path gradients in this study"


def _at_last(rows: pd.DataFrame, network: str) -> pd.DataFrame:
    """Returns the rows of one network after its training, of its first seed."""
    rows = rows[rows.network == network]
    return rows[(rows.epoch == rows.epoch.max()) & (rows.seed == rows.seed.min())]


def _straight(tables: Tables, network: str) -> list[str]:
    """Returns a sentence on the lengths at which norms of sampled paths lie on a line, if any."""
    rows = _at_last(tables.gradient_fits, network)
    rows = rows[
        (rows.estimator == "sampled") & (rows.target == "y0") & (rows.fitted_lengths == "straight")
    ]
    return [
        f"The mean norm of one path of {network} keeps within a factor of two of a line from "
        f"length {int(row.first)} to {int(row.last)}; there, a module more changes its log₁₀ by "
        f"{_signed(row.slope)}{_interval(row)}."
        for row in rows.itertuples()
    ]


def _interval(row) -> str:
    known = np.isfinite(row.slope_low)  # not of one batch
    return f" ({_signed(row.slope_low)} to {_signed(row.slope_high)})" if known else ""


def _signed(number: float) -> str:
    return f"{number:.2f}".replace("-", "−")


def _updates(tables: Tables, network: str) -> list[str]:
    """Returns sentences on the path lengths that carry the gradient of a module's weights."""
    rows = _at_last(tables.gradient_ranges, network)
    rows = rows[rows.target.str.endswith("_weights") & (rows.reading == "projection")]
    return [
        f"Of the gradient of the weights of module {row.target.split('_')[1]}, which is what "
        f"updates them, 95 % (projected) comes by ways of {int(row.first)} to {int(row.last)} of "
        "the modules behind it."
        for row in rows.itertuples()
    ]


def finding(tables: Tables) -> str:
    """Returns what no panel shows: where the line ends, and the gradient of weights by length."""
    parts = [part for n in tables.plain for part in _straight(tables, n) + _updates(tables, n)]
    return " ".join(parts)


def rests_on(tables: Tables) -> str:
    return f"(a) counted exactly; (b, c) {measurements(tables)}"


FIGURE = FigureSpec(
    name="fig6_path_gradients",
    title="Path lengths, and the gradient that comes through them",
    paper="Path lengths are binomial; the gradient of a path falls exponentially with its length; "
    "so nearly all gradient comes from paths of 5 to 17 modules.",
    source="Fig. 6",
    table="path_gradients.csv",
    draw=draw,
    rests_on=rests_on,
    finding=finding,
)
