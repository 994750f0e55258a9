"""The products of a kind of module with many cotangents, compiled once for each shape."""

from keras import ops

from residual_ensembles import backend
from residual_ensembles.backend.precision import compiled
from residual_ensembles.paths.autodiff import Autodiff
from residual_ensembles.paths.closed_form import products_of
from residual_ensembles.paths.kinds import kind_of

_shared: dict[tuple, "Products"] = {}


def products_for(module, input_shape: tuple, training: bool, closed_forms: bool) -> "Products":
    """Returns the products of a module's kind; modules of one kind share them.

    Args:
        module: A module of a chain.
        input_shape: Shape of what enters it, without batch.
        training: Whether batch normalisation uses the statistics of the batch.
        closed_forms: Whether to use the closed form of a module that has one.
    """
    method = products_of(module) if closed_forms else Autodiff
    kind = kind_of(module, input_shape, method.ignored)
    if kind is None:
        return Products(method(module, training))
    key = method, training, kind
    if key not in _shared:
        _shared[key] = Products(method(module, training))
    return _shared[key]


class Products:
    """Compiled functions of modules that differ in their weights only.

    `point` is what `forward` keeps of one batch, so that no forward pass is repeated for a path.
    Weights are constants, so that no gradient of theirs is ever formed. Rows are cotangents of what
    leaves the module, `(rows, batch, ...)`.

    Args:
        method: `Autodiff`, or a closed form of this kind.
    """

    def __init__(self, method: Autodiff):
        self._method = method
        self.weights = method.weights
        self.has_skip = method.module.has_skip
        self.forward = compiled(method.forward)
        self.residual = compiled(method.residual)
        self.skip = compiled(method.skip)
        self.either = compiled(self._either)
        self.whole = compiled(self._whole)
        self.tangent = compiled(self._tangent)
        self.to_weights = compiled(self._to_weights)

    def _either(self, point, rows, below, ratio):
        """One module of the exact recurrence, for neighbouring lengths.

        Args:
            point: From `forward`.
            rows: G[k] for these lengths, all of one scale.
            below: Rᵀ G[k] of the length just below them, `(batch, ...)`; None for the shortest.
            ratio: Scale of `below` over that of `rows`, `(1,)`; None for the shortest.

        Returns:
            The new G[k], and Rᵀ G[k] of the longest of the lengths.
        """
        moved = self._method.residual(point, rows)
        below = ops.zeros_like(moved[0]) if below is None else below * ops.cast(ratio, below.dtype)
        shifted = ops.concatenate([below[None], moved[:-1]])
        return self._method.skip(point, rows) + shifted, moved[-1]

    def _whole(self, weights, y, cotangent):
        """Returns (S + R)ᵀ of one cotangent, from the forward pass alone."""
        _, pull = backend.vjp(lambda y: self._method.forward(weights, y)[0], y)
        return pull(cotangent)[0]

    def _tangent(self, weights, y, tangent):
        """Returns (S + R) of one tangent `(batch, ...)` of what enters the module.

        The pullback is linear in its cotangent, so its own pullback is the product wanted.
        """
        out = self._method.forward(weights, y)[0]
        _, pull = backend.vjp(
            lambda cotangent: self._whole(weights, y, cotangent), ops.zeros_like(out)
        )
        return pull(tangent)[0]

    def _to_weights(self, weights, y, cotangent):
        """Returns the gradient of the trainable weights, `(numbers,)`."""
        _, pull = backend.vjp(lambda *weights: self._method.forward(list(weights), y)[0], *weights)
        trainable = zip(pull(cotangent), self._method.trainable, strict=True)
        return ops.concatenate([ops.reshape(g, (-1,)) for g, wanted in trainable if wanted])
