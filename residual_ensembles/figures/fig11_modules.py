"""Cost of each single deletion: one row a network, one column a module."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.figures import authors, errors, style
from residual_ensembles.figures.figure_spec import FigureSpec
from residual_ensembles.paths.length_profile import PAPER_N

BOUNDARIES = (-1, 0.5, 1, 2, 5, 10, 20, 50, 100)
"""Boundaries of the colors, in points of error; most modules cost less than one, a few dozens."""


def rows(tables: Tables) -> list[tuple[str, np.ndarray]]:
    """Returns (name, cost in points of error by module) of the networks as deep as a plain one."""
    return ours(tables) + theirs(tables)


def depths(tables: Tables) -> list[int]:
    """Returns the numbers of modules of the plain networks, each once, or the paper's."""
    known = dict.fromkeys(n for name in tables.plain if (n := tables.n_modules(name)))
    return list(known) or [PAPER_N]


def ours(tables: Tables) -> list[tuple[str, np.ndarray]]:
    """Returns the rows of the study's networks."""
    result = []
    for network in tables.networks:
        points = errors.single_deletions(tables, network)
        if list(points.module) in [list(range(1, n + 1)) for n in depths(tables)]:
            cost = points.error.to_numpy(float) - errors.intact(tables, network)
            result.append((network, cost))
    return result


def theirs(tables: Tables) -> list[tuple[str, np.ndarray]]:
    """Returns the authors' rows."""
    result, known = [], depths(tables)
    for network in [authors.BY_MODULES[n] for n in known if n in authors.BY_MODULES]:
        own = f"authors, {authors.title(network)}" if len(known) > 1 else "authors"
        for gating, name in (("none", own), ("stochastic_depth", f"{own}, stochastic")):
            points = authors.points(network, "delete", gating)
            if len(points):
                cost = points.error_mean - authors.intact_error(network, gating)
                result.append((name, 100 * cost.to_numpy(float)))
    return result


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws the heat map; a shallower network's row ends early."""
    result = rows(tables)
    n = max((len(cost) for _, cost in result), default=0)
    figure = Figure(figsize=(7.2, 0.9 + 0.34 * max(len(result), 3)))
    axes = figure.subplots()
    axes.grid(False)
    if not result:
        style.missing(axes, "no single deletions in this study")
        return figure
    costs = np.ma.masked_all((len(result), n))
    for row, (_, cost) in zip(costs, result, strict=True):
        row[: len(cost)] = np.clip(cost, BOUNDARIES[0], BOUNDARIES[-1])
    colors = colormaps["cividis"]
    mesh = axes.pcolormesh(
        np.arange(n + 1) + 0.5,
        np.arange(len(result) + 1) - 0.5,
        costs,
        norm=BoundaryNorm(BOUNDARIES, colors.N),
        cmap=colors,
        edgecolors=style.PAPER,
        linewidth=0.6,
    )
    axes.set_yticks(range(len(result)), [name for name, _ in result])
    axes.invert_yaxis()
    axes.set_xlabel("Deleted module")
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(mesh, ax=axes, pad=0.01, spacing="uniform")
    bar.set_ticks(BOUNDARIES[1:], labels=[f"{b:g}" for b in BOUNDARIES[1:]])
    bar.set_label("Cost (points of error)")
    bar.outline.set_visible(False)
    style.caption(figure, rests_on(tables))
    return figure


def finding(tables: Tables) -> str:
    """Returns the costliest modules of every row."""
    named = []
    for name, cost in rows(tables):
        top = np.argsort(-cost)[:3]
        modules = ", ".join(f"{i + 1} ({cost[i]:.1f})" for i in top)
        named.append(f"{name}: {modules}")
    return f"Costliest modules, with their cost in points: {'; '.join(named)}." if named else ""


def rests_on(tables: Tables) -> str:
    return errors.bases(tables, (name for name, _ in ours(tables)), "single_deletion")


FIGURE = FigureSpec(
    name="fig11_modules",
    title="Which modules matter, network by network",
    paper="All networks in one figure. In the authors' own data, modules 1 and 11 matter beside "
    "the downsampling ones, 19 and 37.",
    table="lesions.csv",
    draw=draw,
    rests_on=rests_on,
    finding=finding,
    ours=lambda tables: bool(ours(tables)),
    authors=lambda tables: bool(theirs(tables)),
)
