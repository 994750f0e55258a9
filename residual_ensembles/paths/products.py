"""The products of a kind of module with many cotangents, compiled once for each shape."""

from keras import ops

from residual_ensembles import backend
from residual_ensembles.backend.precision import compiled
from residual_ensembles.models.configs import kind_of
from residual_ensembles.models.protocols import ModuleLike
from residual_ensembles.paths.autodiff import Autodiff, frozen
from residual_ensembles.paths.closed_form_products import products_of

_shared: dict[tuple, "Products"] = {}


def products_for(
    module: ModuleLike, input_shape: tuple, training: bool, closed_forms: bool
) -> "Products":
    """Returns the products of a module's kind; modules of one kind share them.

    Args:
        module: A module of a chain.
        input_shape: Shape of what enters it, without batch.
        training: Whether batch normalization uses the statistics of the batch.
        closed_forms: Whether to use the closed form of a module that has one.
    """
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

    `point` is what `forward` keeps of one batch, so that no forward pass is repeated for a path.
    Weights are constants, so that no gradient of theirs is ever formed. `residual` and `skip` take
    a list of cotangents of what leaves the module, `(batch, ...)` each.

    Args:
        method: `Autodiff`, or a closed form of this kind.
        input_shape: Shape of what enters the module, without batch.
    """

    def __init__(self, method: Autodiff, input_shape: tuple):
        self._method = method
        self.weights = method.weights
        self.has_skip = method.module.has_skip
        self.skips_freely = _skips_freely(method.module, input_shape)
        """Whether the skip is the identity, so that going back through it costs nothing."""
        self.forward = compiled(method.forward)
        self.residual = compiled(method.residual)
        self.skip = compiled(method.skip)
        self.either = compiled(self._either)
        self.backprop = compiled(self._backprop)
        self.tangent = compiled(self._tangent)
        self.to_weights = compiled(self._to_weights)

    def _either(self, point, rows: list, below):
        """One module of the exact recurrence, for neighboring lengths.

        Args:
            point: From `forward`.
            rows: G[k] for these lengths, all of one scale.
            below: Rᵀ G[k] of the length just below them, in their scale, `(batch, ...)`; None for
                the shortest.

        Returns:
            The new G[k], and Rᵀ G[k] of the longest of the lengths.
        """
        *moved, longest = self._method.residual(point, rows)
        kept = rows if self.skips_freely else self._method.skip(point, rows)
        if below is None:
            return [kept[0], *map(ops.add, kept[1:], moved)], longest
        return list(map(ops.add, kept, [below, *moved])), longest

    def _backprop(self, weights, y, cotangent):
        """Returns (S + R)ᵀ of one cotangent, from the forward pass alone."""
        _, pull = backend.vjp(lambda y: self._method.forward(weights, y)[0], y)
        return pull(cotangent)[0]

    def _tangent(self, weights, y, tangent):
        """Returns (S + R) of one tangent `(batch, ...)` of what enters the module.

        The pullback is linear in its cotangent, so its own pullback is the product wanted.
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


def _skips_freely(module, shape: tuple) -> bool:
    y = ops.zeros((1, *shape), module.compute_dtype)
    with frozen(module, [ops.convert_to_tensor(v.value) for v in module.variables]):
        return module.has_skip and module.skip(y) is y and module.after(y) is y
