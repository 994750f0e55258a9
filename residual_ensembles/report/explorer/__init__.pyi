from .explorer_page import Offered, fits, render
from .exported_network import Exported, export
from .images import Images, draw
from .network_choice import Choice, choose

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
