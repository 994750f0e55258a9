"""Fig. 3: error after deleting any single module, of residual networks and of a VGG."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.figures import authors, errors, style
from residual_ensembles.figures.figure_spec import FigureSpec


def mark_downsampling(axes: Axes, modules: tuple[int, ...]) -> None:
    """Points at the modules that downsample, from below the curve."""
    for i, module in enumerate(modules):
        axes.axvline(module, color=style.INK, linewidth=0.7, linestyle=(0, (1, 3)), zorder=1)
        if i == 0:
            axes.annotate(
                "dotted: downsampling",
                (module, 97),
                xytext=(4, 0),
                textcoords="offset points",
                fontsize=7.5,
                va="top",
            )


def _residual(axes: Axes, tables: Tables) -> None:
    reference = authors.points("resnet110", "delete")
    style.authors_curve(
        axes, reference.x, 100 * reference.error_mean, "authors: ResNet-110, CIFAR-10"
    )
    for network in tables.plain:
        points = errors.single_deletions(tables, network)
        style.curve(
            axes,
            points.module,
            points.error,
            style.PLAIN,
            f"ours: {network}",
            points.low,
            points.high,
        )
        axes.axhline(
            errors.intact(tables, network),
            color=style.PLAIN.color,
            linewidth=0.9,
            linestyle=(0, (5, 2)),
            label="ours, intact",
        )
        mark_downsampling(axes, tables.downsampling(network))
    axes.set_xlabel("Deleted module")


def _vgg(axes: Axes, tables: Tables) -> None:
    reference = authors.points("vgg", "delete")
    style.authors_curve(
        axes, range(1, len(reference) + 1), 100 * reference.error_mean, "authors: VGG, CIFAR-10"
    )
    for network in tables.named(("vgg",)):
        points = errors.single_deletions(tables, network)
        style.curve(
            axes,
            points.module,
            points.error,
            style.VGG,
            f"ours: {network}",
            points.low,
            points.high,
        )
        axes.axhline(
            errors.intact(tables, network),
            color=style.VGG.color,
            linewidth=0.9,
            linestyle=(0, (5, 2)),
            label="ours, intact",
        )
    axes.set_xlabel("Deleted layer")
    axes.xaxis.get_major_locator().set_params(integer=True)


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws residual networks on the left and VGGs on the right."""
    figure = Figure(figsize=(7.2, 3.5))
    left, right = figure.subplots(1, 2, width_ratios=[2.4, 1], sharey=True)
    _residual(left, tables)
    _vgg(right, tables)
    style.error_axis(left)
    style.legend_above(left)
    style.legend_above(right, columns=1)
    style.caption(figure, rests_on(tables))
    return figure


def rests_on(tables: Tables) -> str:
    """Says what the curves rest on."""
    networks = (*tables.plain, *tables.named(("vgg",)))
    return "; ".join(f"{n}: {errors.basis(tables, n, 'single_deletion')}" for n in networks)


FIGURE = FigureSpec(
    name="fig3_single_deletion",
    title="Deleting one module",
    paper="Deleting any layer of a VGG brings error to chance; deleting a module of a residual "
    "network hardly changes it, but for the downsampling ones. (There, both share one axis.)",
    source="Fig. 3",
    table="lesions.csv",
    draw=draw,
    rests_on=rests_on,
    ours=lambda tables: bool(tables.plain or tables.named(("vgg",))),
    authors=lambda tables: True,
)
