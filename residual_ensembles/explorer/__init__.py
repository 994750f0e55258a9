"""The page on which a reader takes a study's networks apart."""

from residual_ensembles.explorer.choice import Choice, choose
from residual_ensembles.explorer.network import Exported, export
from residual_ensembles.explorer.page import Offered, fits, render
from residual_ensembles.explorer.pictures import Pictures, draw

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
