"""How much of the gradient comes through paths that take a certain module's residual."""

import numpy as np

from residual_ensembles.paths import scale
from residual_ensembles.paths.point import Point


def share_by_module(point: Point) -> np.ndarray:
    """Returns, for each module, the share of all paths that take its residual.

    The share is the projection on the whole gradient with respect to y_0, as for lengths. A path of
    length k counts for each of its k modules, so the shares add up to the mean length under the
    shares by length.

    What comes through the residual of module i goes on through everything below it. Instead of
    sending one cotangent down from each module, the gradient G is sent up once, as a tangent:
    ⟨Jᵀ Rᵢᵀ gᵢ, G⟩ = ⟨Rᵢᵀ gᵢ, J G⟩.

    Args:
        point: One batch.

    Returns:
        `(n_modules,)`; NaN where the gradient is 0.
    """
    cotangents = point.gradients
    whole = scale.Whole(cotangents[0])
    tangent, shares = whole.row, []
    for step, cotangent in zip(point.steps, cotangents[1:], strict=True):
        through = step.products.residual(step.point, [cotangent])
        shares.append(whole.shares(through, np.zeros(1, int), tangent))
        tangent = step.products.tangent(step.weights, step.y, tangent)
    return np.concatenate(shares)
