from .choice import Choice, choose
from .network import Exported, export
from .page import Offered, fits, render
from .pictures import Pictures, draw

__all__ = [
    "Choice",
    "Exported",
    "Offered",
    "Pictures",
    "choose",
    "draw",
    "export",
    "fits",
    "render",
]
