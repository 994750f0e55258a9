from .cut import Network
from .keeping import gradient_cache
from .pieces import BAR, measure
from .study import GradientStudy, write_tables

__all__ = [
    "BAR",
    "GradientStudy",
    "Network",
    "gradient_cache",
    "measure",
    "write_tables",
]
