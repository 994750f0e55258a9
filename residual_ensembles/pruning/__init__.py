"""What modules are worth, and networks without those that are worth least."""

from residual_ensembles.pruning.prune import Pruned, prune
from residual_ensembles.pruning.worth import COLUMNS, chosen_on, named, rank_correlations, worth

__all__ = ["COLUMNS", "Pruned", "chosen_on", "named", "prune", "rank_correlations", "worth"]
