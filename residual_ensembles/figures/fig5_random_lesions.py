"""Fig. 5: error as more modules are deleted (a), and as their order is corrupted (b)."""

from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.figures import authors, errors, style
from residual_ensembles.figures.figure_spec import FigureSpec
from residual_ensembles.statistics.intervals import student

BIN = 0.02
"""Width of a bin of Kendall's tau, as in the authors' points."""


def _authors(tables: Tables) -> tuple[str, str]:
    if tables.is_imagenet:
        return "resnet200", "ResNet-200, ImageNet"
    return "resnet110", "ResNet-110, CIFAR-10"


def _deletion(axes: Axes, tables: Tables) -> None:
    network, title = _authors(tables)
    for plan, label, line in ((authors.SPARING, "sparing", "-"), (authors.ANY, "any", "--")):
        points = authors.points(network, plan)
        name = f"authors: {label} ({title})"
        style.authors_curve(axes, points.x, 100 * points.error_mean, name, line)
    for plain, own in zip(tables.plain, cycle(style.DISTINCT), strict=False):
        for sweep, (label, look) in errors.SWEEPS.items():
            if len(tables.plain) > 1:  # a color for each network, a line for each way to draw
                look = own._replace(linestyle=look.linestyle)
            points = errors.by_operations(tables, plain, sweep)
            if len(points):
                errors.draw_curve(axes, points.n_operations, points, look, f"{plain}: {label}")
    style.count_axis(axes, "Number of modules deleted, k")
    axes.set_title("(a)")


def binned(tau: np.ndarray, error: np.ndarray) -> list[tuple[float, float, float, float]]:
    """Returns (center, mean, low, high) of the error by bins of tau.

    The interval is Student's, and missing where fewer than three re-orderings have a spread.
    """
    centers = np.round(tau / BIN) * BIN
    groups = [(float(c), error[centers == c]) for c in np.unique(centers)]
    return [
        (center, float(some.mean()), *(student(some) if len(some) > 2 else (np.nan, np.nan)))
        for center, some in groups
    ]


def draw_reorderings(
    axes: Axes, tau: np.ndarray, error: np.ndarray, look: style.Look, labels: tuple[str, str]
) -> None:
    """Draws each re-ordering, and their mean by bins of tau; the legend has a label for each."""
    style.dots(axes, tau, error, look, labels[0])
    center, mean, low, high = np.array(binned(tau, error)).T
    style.curve(axes, center, mean, look, labels[1], low, high)


def _reordering(axes: Axes, tables: Tables) -> None:
    network, title = _authors(tables)
    points = authors.points(network, authors.SWAPS)
    name = f"authors: mean of a bin ({title})"
    style.authors_curve(axes, points.x, 100 * points.error_mean, name)
    for plain, look in zip(tables.plain, cycle(style.DISTINCT), strict=False):
        rows = tables.sweep(plain, "reorder")
        if rows.empty:
            continue
        tau = rows.kendall_tau.to_numpy(float)
        error = 100 * rows.error_fraction.to_numpy(float)
        labels = f"{plain}: one re-ordering", f"{plain}: mean of a bin"
        draw_reorderings(axes, tau, error, look, labels)
    axes.set_xlabel("Kendall's τ of the order (1 is intact)")
    axes.set_title("(b)")
    axes.invert_xaxis()


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws random deletions on the left and re-orderings on the right."""
    figure = Figure(figsize=(7.2, 4.0 + 0.75 * max(len(tables.plain) - 1, 0)))
    left, right = figure.subplots(1, 2, sharey=True)
    _deletion(left, tables)
    _reordering(right, tables)
    style.error_axis(left)
    for axes in (left, right):
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), fontsize=7.5)
    style.caption(figure, rests_on(tables))
    return figure


def rests_on(tables: Tables) -> str:
    return "; ".join(
        f"{n}: (a) {errors.basis(tables, n, *errors.SWEEPS)}; "
        f"(b) {errors.basis(tables, n, 'reorder')}; bands: 95 % {errors.bands_over(tables)} (a), "
        "over draws (b)"
        for n in tables.plain
    )


FIGURE = FigureSpec(
    name="fig5_random_lesions",
    title="Deleting several modules, and re-ordering them",
    paper="Error grows smoothly with the number of deleted modules, about 0.2 at ten, and as "
    "Kendall's tau falls. (In the authors' data, 0.2 spares modules 1, 19 and 37.)",
    source="Fig. 5",
    table="lesions.csv",
    draw=draw,
    rests_on=rests_on,
    ours=lambda tables: bool(tables.plain),
    authors=lambda tables: True,
)
