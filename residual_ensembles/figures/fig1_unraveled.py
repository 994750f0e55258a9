"""Fig. 1: a residual network as it is usually drawn, and unraveled into its paths."""

from matplotlib.figure import Figure

from residual_ensembles.analysis import Tables
from residual_ensembles.figures import style, unraveled
from residual_ensembles.figures.figure_spec import FigureSpec

N = 3


@style.styled
def draw(tables: Tables) -> Figure:
    """Draws a network of three modules both ways; no table is needed."""
    figure = Figure(figsize=(7.2, 4.4))
    top, bottom = figure.subplots(2, 1, height_ratios=[1, 4])
    top.set_title("(a) A residual network of 3 modules")
    unraveled.draw_blocks(top, N)
    bottom.set_title(f"(b) The same network unraveled: 2³ = {2**N} paths, each with its code")
    unraveled.draw_unraveled(bottom, N)
    return figure


FIGURE = FigureSpec(
    name="fig1_unraveled",
    title="The unraveled view",
    paper="A residual network of n modules is a collection of 2ⁿ paths: at each module a path "
    "takes the residual (1) or the skip (0).",
    source="Fig. 1",
    draw=draw,
    rests_on=lambda tables: "drawn from the equations; no measurement",
    finding=lambda tables: f"Three modules have {2**N} paths, the paper's 54 have {2**54:,}.",
)
