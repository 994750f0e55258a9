from .figure_spec import FigureSpec
from .gallery import FIGURES, draw_figures
from .plotting import plot

__all__ = [
    "FIGURES",
    "FigureSpec",
    "draw_figures",
    "plot",
]
