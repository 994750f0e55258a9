"""Fig. 8: single deletions after training with stochastic depth, beside the plain network."""

from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.figures import authors, errors, style
from residual_ensembles.figures.fig3_single_deletion import mark_downsampling
from residual_ensembles.figures.fig6_path_gradients import modules_of
from residual_ensembles.figures.figure_spec import FigureSpec
from residual_ensembles.models.architectures import residual_kinds


def _networks(tables: Tables) -> list[tuple[str, style.Look]]:
    trained = tables.named(residual_kinds(), "stochastic_depth")
    looks = style.looks(tables.runs)
    return [(network, looks[network]) for network in (*tables.plain, *trained)]


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws plain and stochastic-depth networks over one axis."""
    figure = Figure(figsize=(7.2, 3.5))
    axes = figure.subplots()
    theirs = authors.network_of(modules_of(tables))
    for gating, label, line in (("none", "plain", ":"), ("stochastic_depth", "stochastic", "-")):
        points = authors.points(theirs, "delete", gating)
        name = f"authors: {label} ({authors.title(theirs)}, CIFAR-10)"
        style.authors_curve(axes, points.x, 100 * points.error_mean, name, line)
    for network, look in _networks(tables):
        points = errors.single_deletions(tables, network)
        label = f"ours: {network} (intact {errors.intact(tables, network):.2f} %)"
        errors.draw_curve(axes, points.module, points, look, label)
    for network in tables.plain[:1]:
        mark_downsampling(axes, tables.downsampling(network))
    axes.set_xlabel("Deleted module")
    style.error_axis(axes)
    style.legend_above(axes)
    style.caption(figure, rests_on(tables))
    return figure


def rests_on(tables: Tables) -> str:
    return errors.bases(tables, (name for name, _ in _networks(tables)), "single_deletion")


FIGURE = FigureSpec(
    name="fig8_stochastic_depth",
    title="Deleting one module after training with stochastic depth",
    paper="Stochastic depth makes deletion slightly more harmless, mostly at the downsampling "
    "modules.",
    source="Fig. 8",
    table="lesions.csv",
    draw=draw,
    rests_on=rests_on,
    ours=lambda tables: bool(_networks(tables)),
    authors=lambda tables: True,
    # How external networks were trained is not known.
    wanted=lambda tables: not tables.runs or not all(run.is_external for run in tables.runs),
)
