"""The gradient of a module's weights, by the length of the way back to it.

The paper speaks of the paths that contribute "gradient updates" (section 4.2); this is what they
contribute to.
"""

from residual_ensembles.paths.exact_lengths import ByLength, carry_back
from residual_ensembles.paths.point import Point


def weight_gradient(point: Point, number: int, max_length: int | None = None) -> ByLength:
    """Returns the exact gradient of one module's weights, by residuals passed above the module.

    Args:
        point: One batch.
        number: The module, from 1. Its own residual is not counted.
        max_length: Longest way to carry, in modules; None for all.

    Raises:
        ValueError: There is no such module, or no way so short.
        ArithmeticError: The parts do not add up to the gradient.
    """
    if not 1 <= number <= len(point.steps):
        raise ValueError(f"Received module {number}, expected 1 to {len(point.steps)}.")
    step = point.steps[number - 1]
    gradient = step.to_weights(point.gradients[number])
    arrived = carry_back(point, max_length, above=number)
    return arrived.measured(gradient, lambda rows: [step.to_weights(row) for row in rows])
