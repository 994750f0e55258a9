from .importance import COLUMNS, module_importance, rank_correlations
from .pruning import Pruned, check_number, prune

__all__ = [
    "COLUMNS",
    "Pruned",
    "check_number",
    "module_importance",
    "prune",
    "rank_correlations",
]
