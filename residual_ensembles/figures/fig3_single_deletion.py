"""Fig. 3: error after deleting any single module, of residual networks and of a VGG."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.figures import authors, errors, style
from residual_ensembles.figures.figure_spec import FigureSpec


def mark_downsampling(axes: Axes, modules: tuple[int, ...], *, named: bool = True) -> None:
    """Points at the modules that downsample, from below the curve."""
    for i, module in enumerate(modules):
        axes.axvline(module, color=style.INK, linewidth=0.7, linestyle=(0, (1, 3)), zorder=1)
        if i == 0 and named:
            style.note(axes, "dotted: downsampling", (module, 97), (4, 0), va="top")


def _panel(
    axes: Axes,
    tables: Tables,
    networks: Sequence[str],
    kind: style.Look,
    reference: str,
    *,
    shares_legend: bool = False,
) -> None:
    """Draws the authors' network, and those of the study; one alone looks like its kind."""
    points = authors.points(reference, "delete")
    label = f"authors: {authors.title(reference)}, CIFAR-10"
    if shares_legend:
        label = "authors: as deep, else ResNet-110 (CIFAR-10)"
    style.authors_curve(axes, points.index + 1, 100 * points.error_mean, label)
    looks = style.looks(tables.runs)
    for network in networks:
        look = kind if len(networks) == 1 else looks[network]
        points = errors.single_deletions(tables, network)
        ours = "ours" if shares_legend and len(networks) == 1 else f"ours: {network}"
        errors.draw_curve(axes, points.module, points, look, ours)
        errors.draw_intact(axes, errors.intact(tables, network), look.color, "ours, intact")


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws residual networks on the left, a panel for each depth, and VGGs on the right."""
    depths, vggs = style.by_depth(tables), tables.named(("vgg",))
    figure = Figure(figsize=(7.2, 3.5))
    widths = [2.4, 1] if len(depths) == 1 else [0.5 + max(n, 10) / 20 for n in (*depths, 12)]
    *panels, right = figure.subplots(1, len(widths), width_ratios=widths, sharey=True)
    if len(depths) == 1:
        ((n, networks),) = depths.items()
        _panel(panels[0], tables, networks, style.PLAIN, authors.network_of(n))
        for network in networks:
            mark_downsampling(panels[0], tables.downsampling(network))
        _panel(right, tables, vggs, style.VGG, "vgg")
        style.legend_above(panels[0])
        style.legend_above(right, columns=1)
    else:
        for axes, (n, networks) in zip(panels, depths.items(), strict=True):
            _panel(axes, tables, networks, style.PLAIN, authors.network_of(n), shares_legend=True)
            for network in networks:
                mark_downsampling(axes, tables.downsampling(network), named=False)
            axes.set_title(", ".join(networks))
            style.count_axis(axes, "Module")
        _panel(right, tables, vggs, style.VGG, "vgg", shares_legend=True)
        style.legend_over_all(figure, (*panels, right))
        right.set_title("VGG")
    panels[0].set_xlabel("Deleted module")
    style.count_axis(right, "Deleted layer")
    style.error_axis(panels[0])
    style.caption(figure, rests_on(tables))
    return figure


def rests_on(tables: Tables) -> str:
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
