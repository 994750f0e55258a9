from .explorer_page import Offered, fits, render
from .exported_network import export
from .selection import Choice, choose, draw

__all__ = [
    "Choice",
    "Offered",
    "choose",
    "draw",
    "export",
    "fits",
    "render",
]
