from .explorer_page import Offered, fits, render
from .exported_network import Exported, export
from .selection import Choice, Images, choose, draw

__all__ = [
    "Choice",
    "Exported",
    "Images",
    "Offered",
    "choose",
    "draw",
    "export",
    "fits",
    "render",
]
