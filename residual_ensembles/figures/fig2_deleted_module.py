"""Fig. 2: what deleting a module leaves of a residual network, and of a VGG."""

from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.figures import style, unraveled
from residual_ensembles.figures.figure_spec import FigureSpec

N = 3
DELETED = (2,)


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws both networks without their second module; no table is needed."""
    figure = Figure(figsize=(7.2, 4.4))
    top, bottom = figure.subplots(2, 1, height_ratios=[4, 1])
    left = len(unraveled.valid_paths(N, DELETED))
    top.set_title(f"(a) Residual network without module 2: {left} of {2**N} paths are left")
    unraveled.draw_unraveled(top, N, DELETED)
    bottom.set_title("(b) VGG without layer 2: its only path is gone")
    unraveled.draw_blocks(bottom, N, DELETED, skips=False)
    return figure


FIGURE = FigureSpec(
    name="fig2_deleted_module",
    title="Deleting a module halves the paths of a residual network, and takes a VGG its only one",
    paper="Deleting one module leaves half of the paths of a residual network valid; in a VGG the "
    "only path is cut.",
    source="Fig. 2",
    draw=draw,
    rests_on=lambda tables: "drawn from the equations; no measurement",
    finding=lambda tables: (
        f"One module less leaves {len(unraveled.valid_paths(N, DELETED))} of {2**N} paths."
    ),
)
