from .external import publish
from .gradients import write_gradients
from .lesions import prune_network, write_lesions

__all__ = [
    "prune_network",
    "publish",
    "write_gradients",
    "write_lesions",
]
