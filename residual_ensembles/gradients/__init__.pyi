from .cut import Network
from .pieces import gradient_cache, measure
from .study import GradientStudy, write_tables

__all__ = [
    "GradientStudy",
    "Network",
    "gradient_cache",
    "measure",
    "write_tables",
]
