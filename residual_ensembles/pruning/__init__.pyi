from .importance import COLUMNS, chosen_on, named, rank_correlations, worth
from .pruning import Pruned, prune

__all__ = [
    "COLUMNS",
    "Pruned",
    "chosen_on",
    "named",
    "prune",
    "rank_correlations",
    "worth",
]
