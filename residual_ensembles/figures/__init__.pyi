from .authors import write_reference
from .figure_spec import FigureSpec
from .gallery import FIGURES, draw_figures
from .style import save

__all__ = [
    "FIGURES",
    "FigureSpec",
    "draw_figures",
    "save",
    "write_reference",
]
