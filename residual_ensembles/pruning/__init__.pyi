from .importance import COLUMNS, chosen_on, named, rank_correlations, worth
from .pruning import Pruned, check_number, prune

__all__ = [
    "COLUMNS",
    "Pruned",
    "check_number",
    "chosen_on",
    "named",
    "prune",
    "rank_correlations",
    "worth",
]
