from .authors import write_reference
from .figure_spec import FigureSpec
from .gallery import FIGURES, draw_figures
from .plotting import plot
from .style import save

__all__ = [
    "FIGURES",
    "FigureSpec",
    "draw_figures",
    "plot",
    "save",
    "write_reference",
]
