from .cut import Network
from .keeping import kept_pieces
from .pieces import BAR, measure
from .study import GradientStudy, write_tables

__all__ = [
    "BAR",
    "GradientStudy",
    "Network",
    "kept_pieces",
    "measure",
    "write_tables",
]
