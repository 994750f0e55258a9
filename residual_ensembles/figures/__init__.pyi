from .authors import write_reference
from .gallery import FIGURES, draw_figures
from .picture import Picture
from .style import save

__all__ = [
    "FIGURES",
    "Picture",
    "draw_figures",
    "save",
    "write_reference",
]
