"""Fig. 4: single deletions on ImageNet; the authors' numbers until a study of ours was run."""

from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.figures import authors, errors, style
from residual_ensembles.figures.fig3_single_deletion import mark_downsampling
from residual_ensembles.figures.figure_spec import FigureSpec

DOWNSAMPLING = (4, 28, 64)
"""Downsampling modules of ResNet-200, whose stages have 3, 24, 36 and 3 modules."""


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws ResNet-200: the authors' points, and ours where this study is one of ImageNet."""
    figure = Figure(figsize=(7.2, 3.5))
    axes = figure.subplots()
    reference = authors.points("resnet200", "delete")
    style.authors_curve(axes, reference.x, 100 * reference.error_mean, "authors: ResNet-200")
    intact = 100 * authors.intact_error("resnet200")
    errors.draw_intact(axes, intact, style.AUTHORS, "authors, intact")
    mark_downsampling(axes, DOWNSAMPLING)
    if tables.is_imagenet:
        for network in tables.plain:
            points = errors.single_deletions(tables, network)
            errors.draw_curve(axes, points.module, points, style.PLAIN, f"ours: {network}")
    else:
        axes.text(
            0.5,
            0.75,
            "The authors' numbers only: this study did not run ImageNet",
            transform=axes.transAxes,
            ha="center",
            fontsize=9,
            bbox={"facecolor": style.PAPER, "edgecolor": style.GRID},
        )
    axes.set_xlabel("Deleted module")
    style.error_axis(axes)
    axes.set_ylabel("Validation error, top 1 (%)")
    style.legend_above(axes)
    style.caption(figure, rests_on(tables))
    return figure


def rests_on(tables: Tables) -> str:
    ours = [errors.basis(tables, n, "single_deletion") for n in tables.plain]
    return "; ".join(
        ["authors: 66 single deletions × 50,000 validation images"]
        + (ours if tables.is_imagenet else ["ours: not run"])
    )


FIGURE = FigureSpec(
    name="fig4_imagenet",
    title="Deleting one module, ImageNet",
    paper="On ImageNet too, deleting a module hardly matters, but for a few.",
    source="Fig. 4",
    table="lesions.csv",
    draw=draw,
    rests_on=rests_on,
    ours=lambda tables: tables.is_imagenet and bool(tables.plain),
    authors=lambda tables: True,
)
