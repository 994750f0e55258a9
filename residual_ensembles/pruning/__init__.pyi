from .importance import COLUMNS, module_importance, rank_correlations
from .pruning import Pruned, check_prunable, prune

__all__ = [
    "COLUMNS",
    "Pruned",
    "check_prunable",
    "module_importance",
    "prune",
    "rank_correlations",
]
