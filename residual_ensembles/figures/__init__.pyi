from .authors import write_reference
from .gallery import FIGURES
from .picture import Picture
from .plots import plot_tables
from .style import save

__all__ = [
    "FIGURES",
    "Picture",
    "plot_tables",
    "save",
    "write_reference",
]
