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


def _panel(
    axes: Axes, tables: Tables, networks: tuple[str, ...], look: style.Look, reference: str
) -> None:
    points = authors.points(reference, "delete")
    label = "authors: VGG, CIFAR-10" if reference == "vgg" else "authors: ResNet-110, CIFAR-10"
    style.authors_curve(axes, points.index + 1, 100 * points.error_mean, label)
    for network in networks:
        points = errors.single_deletions(tables, network)
        errors.draw_curve(axes, points.module, points, look, f"ours: {network}")
        errors.draw_intact(axes, errors.intact(tables, network), look.color, "ours, intact")


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws residual networks on the left and VGGs on the right."""
    figure = Figure(figsize=(7.2, 3.5))
    left, right = figure.subplots(1, 2, width_ratios=[2.4, 1], sharey=True)
    _panel(left, tables, tables.plain, style.PLAIN, "resnet110")
    for network in tables.plain:
        mark_downsampling(left, tables.downsampling(network))
    left.set_xlabel("Deleted module")
    _panel(right, tables, tables.named(("vgg",)), style.VGG, "vgg")
    style.count_axis(right, "Deleted layer")
    style.error_axis(left)
    style.legend_above(left)
    style.legend_above(right, columns=1)
    style.caption(figure, rests_on(tables))
    return figure


def rests_on(tables: Tables) -> str:
    """Returns what the curves rest on."""
    networks = (*tables.plain, *tables.named(("vgg",)))
    return errors.bases(tables, networks, "single_deletion")


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
