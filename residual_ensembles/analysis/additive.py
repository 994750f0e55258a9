"""What a lesion of many modules would cost if costs simply added up."""

from collections.abc import Iterable, Mapping


def additive_prediction(costs: Mapping[int, float], deleted: Iterable[int]) -> float:
    """Returns the sum of the single costs of the deleted modules.

    If the modules of a random deletion did not depend on each other, and errors stayed small, this
    is what it would add to the error. Its rank correlation with the real cost, beside that of the
    number of modules alone, says how much it matters *which* modules go.

    Args:
        costs: Error of each single deletion minus the intact error, by module (from 1).
        deleted: The modules deleted together.
    """
    return float(sum(costs[module] for module in deleted))
