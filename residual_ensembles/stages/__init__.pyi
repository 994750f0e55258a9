from .external import write_external_run
from .gradients import write_gradients
from .lesions import prune_network, write_lesions

__all__ = [
    "prune_network",
    "write_external_run",
    "write_gradients",
    "write_lesions",
]
