"""Fig. 7: which paths are left after modules were deleted, by length."""

from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.figures import style
from residual_ensembles.figures.fig6_path_gradients import modules_of
from residual_ensembles.figures.figure_spec import FigureSpec
from residual_ensembles.paths import lengths
from residual_ensembles.paths.length_profile import EFFECTIVE, PAPER_N

DELETED = (1, 10, 20)


def deletions(n: int) -> tuple[int, ...]:
    """Returns the numbers of deleted modules that are drawn: the paper's, or fewer of few."""
    return DELETED if n > DELETED[-1] else tuple(sorted({1, n // 3, n // 2} - {0}))


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws the closed form for the study's plain residual network."""
    n = modules_of(tables)
    figure = Figure(figsize=(7.2, 3.2))
    axes = figure.subplots()
    if n == PAPER_N:
        style.shade_effective_paths(axes, tables, "effective paths (paper): 5–17")
    for deleted, look in zip(deletions(n), style.BY_NUMBER, strict=False):
        left = [100 * float(share) for share in lengths.remaining(n, deleted)]
        label = f"{deleted} of {n} deleted"
        if n == PAPER_N:
            within = 100 * float(lengths.remaining_within(n, deleted, *EFFECTIVE))
            label += f" ({within:.2g} % of 5–17 left)"
        style.curve(axes, range(n + 1), left, look, label)
    axes.set_xlabel("Path length (modules)")
    axes.set_ylabel("Paths left (%)")
    axes.set_ylim(0, 100)
    axes.set_xlim(0, n)
    style.integer_ticks(axes)
    axes.legend(loc="upper right")
    style.caption(figure, rests_on(tables))
    return figure


def rests_on(tables: Tables) -> str:
    return f"counted exactly, n = {modules_of(tables)}"


FIGURE = FigureSpec(
    name="fig7_paths_left",
    title="Deletion removes mostly long paths",
    paper="The fraction of paths left falls with their length; after ten deletions many effective "
    "paths are still valid.",
    source="Fig. 7",
    draw=draw,
    rests_on=rests_on,
)
