from .explorer_page import OfferedNetwork, fits, render
from .exported_network import export
from .selection import Choice, choose, draw

__all__ = [
    "Choice",
    "OfferedNetwork",
    "choose",
    "draw",
    "export",
    "fits",
    "render",
]
