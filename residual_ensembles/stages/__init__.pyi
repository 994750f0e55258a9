from .external import write_external_run
from .gradients import write_gradients
from .lesions import save_pruned, write_lesions

__all__ = [
    "save_pruned",
    "write_external_run",
    "write_gradients",
    "write_lesions",
]
