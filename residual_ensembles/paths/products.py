"""Compiled vector-Jacobian products of modules, shared by modules of one kind."""

from keras import ops

from residual_ensembles import backend
from residual_ensembles.backend.precision import compiled
from residual_ensembles.models.configs import kind_of
from residual_ensembles.paths.autodiff import Autodiff, frozen
from residual_ensembles.paths.closed_form_products import products_of

_shared: dict[tuple, "Products"] = {}


def products_for(module, input_shape: tuple, training: bool, closed_forms: bool) -> "Products":
    """Returns the products of a module; modules that differ in their weights only share them."""
    method = products_of(module) if closed_forms else Autodiff
    kind = kind_of(module, input_shape, method.ignored)
    if kind is None:
        return Products(method(module, training), input_shape)
    key = method, training, kind
    if key not in _shared:
        _shared[key] = Products(method(module, training), input_shape)
    return _shared[key]


class Products:
    """Compiled functions of modules that differ in their weights only.

    `forward` returns the output and `saved`, all that `residual` and `skip` need of this batch, so
    that no forward pass is repeated for a path. These two take a list of cotangents of the output,
    `(batch, ...)` each.
    """

    def __init__(self, method: Autodiff, input_shape: tuple):
        self._method = method
        self.weights = method.weights
        self.has_skip = method.module.has_skip
        self.skip_is_identity = _skip_is_identity(method.module, input_shape)
        """Whether the skip is the identity, so that its backward pass costs nothing."""
        self.forward = compiled(method.forward)
        self.residual = compiled(method.residual)
        self.skip = compiled(method.skip)
        self.recurrence = compiled(self._recurrence)
        self.backprop = compiled(self._backprop)
        self.tangent = compiled(self._tangent)
        self.to_weights = compiled(self._to_weights)

    def _recurrence(self, saved, rows: list, below):
        """Computes `G[k] ← Sᵀ G[k] + Rᵀ G[k−1]` for neighboring lengths.

        Args:
            saved: Second result of `forward`.
            rows: G[k] for these lengths, all with one exponent.
            below: Rᵀ G[k−1] of the smallest k, with the same exponent, `(batch, ...)`; None for
                the smallest k of all.

        Returns:
            The new G[k], and Rᵀ G[k] of the largest k.
        """
        *moved, longest = self._method.residual(saved, rows)
        skipped = rows if self.skip_is_identity else self._method.skip(saved, rows)
        if below is None:
            return [skipped[0], *map(ops.add, skipped[1:], moved)], longest
        return list(map(ops.add, skipped, [below, *moved])), longest

    def _backprop(self, weights, y, cotangent):
        """Returns (S + R)ᵀ of one cotangent, without `residual` and `skip`."""
        _, pull = backend.vjp(lambda y: self._method.forward(weights, y)[0], y)
        return pull(cotangent)[0]

    def _tangent(self, weights, y, tangent):
        """Returns (S + R) of one tangent `(batch, ...)` of the input.

        The pullback is linear in its cotangent, so its own pullback is this product.
        """
        out = self._method.forward(weights, y)[0]
        _, pull = backend.vjp(
            lambda cotangent: self._backprop(weights, y, cotangent), ops.zeros_like(out)
        )
        return pull(tangent)[0]

    def _to_weights(self, weights, y, cotangent):
        """Returns the gradient of the trainable weights, `(numbers,)`."""
        _, pull = backend.vjp(lambda *weights: self._method.forward(list(weights), y)[0], *weights)
        trainable = zip(pull(cotangent), self._method.trainable, strict=True)
        return ops.concatenate([ops.reshape(g, (-1,)) for g, wanted in trainable if wanted])


def _skip_is_identity(module, shape: tuple) -> bool:
    y = ops.zeros((1, *shape), module.compute_dtype)
    with frozen(module, [ops.convert_to_tensor(v.value) for v in module.variables]):
        return module.has_skip and module.skip(y) is y and module.after(y) is y
