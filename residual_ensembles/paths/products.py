"""Vector-Jacobian products of modules, compiled, and shared by modules of one kind.

S and R are the Jacobians of `after` ∘ skip and of `after` ∘ residual, both at the activations of
the forward pass. Backwards, a path takes Sᵀ or Rᵀ of each module.

Those of pre-activation modules are in closed form. They equal those of automatic differentiation
and are about twice as fast: nothing of the forward pass is repeated, and between two convolutions
there is one multiplication by 0 or 1. The factors of batch normalization and the survival
probability are in the kernels.
"""

from functools import partial
from typing import Any

import keras
from keras import ops

from residual_ensembles import backend
from residual_ensembles.backend.precision import compiled
from residual_ensembles.models.configs import kind_of
from residual_ensembles.models.lowering import Convolution, lowered
from residual_ensembles.paths.cotangents import stacked


class Autodiff:
    """Forward pass and vector-Jacobian products of modules that differ in their weights only."""

    ignored: tuple[str, ...] = ()
    """Keys of a config in which modules that share compiled code may differ."""

    def __init__(self, module, training: bool):
        self.module = module
        self.training = training

    def weights(self, module) -> list:
        """Returns the variables of `module` as tensors."""
        return [ops.convert_to_tensor(v.value) for v in module.variables]

    @property
    def trainable(self) -> list[bool]:
        """Whether each of `weights` is trainable and belongs to the module, not to a segment."""
        own = {id(v) for v in self.module.own_variables}
        return [v.trainable and id(v) in own for v in self.module.variables]

    def forward(self, weights: list, y):
        """Returns the output of a module, and what `residual` and `skip` need of this batch."""
        z, _, _ = self._sum(weights, y)
        with frozen(self.module, weights):
            return self.module.after(z), (y, *weights)

    def residual(self, saved, rows: list) -> list:
        """Returns Rᵀ of each row; `saved` is the second result of `forward`."""
        y, *weights = saved
        z, pull, _ = self._sum(weights, y)
        return _pulled(rows, self._after(weights, z), pull)

    def skip(self, saved, rows: list) -> list:
        """Returns Sᵀ of each row; arguments as for `residual`."""
        y, *weights = saved
        z, _, pull = self._sum(weights, y)
        return _pulled(rows, self._after(weights, z), pull)

    def _sum(self, weights, y):
        """Returns skip + residual, and the pullbacks of the residual and of the skip."""
        module, training = self.module, self.training
        with frozen(module, weights):
            z, pull_residual = backend.vjp(lambda y: module.residual(y, training=training), y)
            if not module.has_skip:
                return z, pull_residual, None
            skipped, pull_skip = backend.vjp(lambda y: module.skip(y, training=training), y)
        return z + skipped, pull_residual, pull_skip

    def _after(self, weights, z):
        with frozen(self.module, weights):
            return backend.vjp(self.module.after, z)[1]


def frozen(layer: keras.Layer, weights: list) -> keras.StatelessScope:
    """Returns a scope in which `layer` has these weights and assigns to no variable."""
    return keras.StatelessScope(state_mapping=list(zip(layer.variables, weights, strict=True)))


def _pulled(rows: list, after, pull) -> list:
    pulled = backend.map_rows(lambda row: pull(after(row)[0])[0], ops.stack(rows))
    return ops.unstack(pulled)


class _Preactivation(Autodiff):
    """Products of a module whose residual repeats norm, ReLU, convolution."""

    def __init__(self, module, training: bool):
        super().__init__(module, training)
        known: Any = lowered(module)
        self.pairs, self.gate = known.preactivation, known.gate
        self.projection = next((s for s in known.skip if isinstance(s, Convolution)), None)

    def _transform(self, y):
        """Returns f(y) and, for each convolution, what its backward pass needs."""
        steps = []
        for norm, convolution in self.pairs:
            gamma, beta = _value(norm.gamma), _value(norm.beta)
            if self.training:
                mean, variance = ops.moments(y, axes=[0, 1, 2])
            else:
                mean, variance = _value(norm.mean), _value(norm.variance)
            deviation = ops.rsqrt(variance + norm.epsilon)
            scale = gamma * deviation
            z = ops.relu(y * scale + (beta - mean * scale))
            normal = [(y - mean) * deviation] if self.training else []
            y, kernel = _convolve(convolution, z)
            steps.append((kernel * scale[:, None], ops.sign(z), *normal))
        return y, tuple(steps)

    def _transform_back(self, steps, rows):
        """Propagates rows backwards through f.

        In training, mean and variance of the batch depend on y too: the components of the rows
        along their gradients vanish.
        """
        backwards = zip(self.pairs[::-1], steps[::-1], strict=True)
        for (_, convolution), (kernel, passes, *normal) in backwards:
            rows = _times(passes, _convolve_back(convolution, kernel, passes.shape[1:], rows))
            for x in normal:
                along = ops.mean(_times(x, rows), axis=(1, 2, 3), keepdims=True)
                rows = rows - ops.mean(rows, axis=(1, 2, 3), keepdims=True) - x * along
        return rows


class ResidualProducts(_Preactivation):
    """Products of a pre-activation module: `skip(y) + p f(y)` (equation 1).

    The survival probability p counts as a weight, so that the modules of a network trained with
    stochastic depth, which differ in p, share compiled code.
    """

    ignored = ("survival_probability",)

    def weights(self, module):
        survival = ops.cast(module.survival_probability, module.compute_dtype)
        return [survival, *super().weights(module)]

    @property
    def trainable(self):
        return [False, *super().trainable]

    def forward(self, weights, y):
        survival, *weights = weights
        with frozen(self.module, weights):
            f, steps = self._transform(y)
            skipped, projection = _convolve(self.projection, y)
        *steps, (kernel, *rest) = steps
        return skipped + survival * f, ((*steps, (survival * kernel, *rest)), projection)

    def residual(self, saved, rows):
        return stacked(partial(self._transform_back, saved[0]), rows)

    def skip(self, saved, rows):
        back = partial(_convolve_back, self.projection, saved[1], self.module.shapes[0])
        return stacked(back, rows)


class HighwayProducts(_Preactivation):
    """Products of a highway module: `t(y) f(y) + (1 − t(y)) carry(y)` (equation 3).

    The gate is part of both: R has a term t′ f, and S a term −t′ carry.
    """

    def forward(self, weights, y):
        with frozen(self.module, weights):
            f, steps = self._transform(y)
            carried, projection = _convolve(self.projection, y)
            t, gate = _convolve(self.gate, y)
        slope = t * (1.0 - t)
        out = t * f + (1.0 - t) * carried
        return out, (steps, projection, gate, t, 1.0 - t, slope * f, -slope * carried)

    def residual(self, saved, rows):
        return stacked(partial(self._residual, saved), rows)

    def skip(self, saved, rows):
        return stacked(partial(self._skip, saved), rows)

    def _residual(self, saved, rows):
        steps, _, gate, t, _, gated, _ = saved
        through_f = self._transform_back(steps, _times(t, rows))
        return through_f + self._through_gate(gate, _times(gated, rows))

    def _skip(self, saved, rows):
        _, projection, gate, _, closed, _, gated = saved
        shape, carried = self.module.shapes[0], _times(closed, rows)
        through_carry = _convolve_back(self.projection, projection, shape, carried)
        return through_carry + self._through_gate(gate, _times(gated, rows))

    def _through_gate(self, gate, rows):
        return _convolve_back(self.gate, gate, self.module.shapes[0], rows)


def _value(variable):
    """Returns the value of a variable in the open scope.

    Keras may read the variable itself after the scope is closed.
    """
    return ops.convert_to_tensor(variable.value)


def _convolve(convolution: Convolution | None, y):
    """Returns the convolution of y, and its kernel; y and None for the identity."""
    return (y, None) if convolution is None else (convolution.layer(y), _value(convolution.kernel))


def _convolve_back(convolution: Convolution | None, kernel, input_shape, rows):
    """Propagates rows backwards through a convolution, or through the identity."""
    if convolution is None:
        return rows
    n_rows, batch = rows.shape[:2]
    merged = ops.reshape(rows, (n_rows * batch, *rows.shape[2:]))
    # It is linear, so zeros will do; the value is not used, and not computed.
    zeros = ops.zeros((n_rows * batch, *input_shape), rows.dtype)
    strides = convolution.strides
    _, pull = backend.vjp(lambda x: ops.conv(x, kernel, strides, "same", "channels_last"), zeros)
    return ops.reshape(pull(merged)[0], (n_rows, batch, *input_shape))


def _times(factor, rows):
    """Returns each row times `factor` `(batch, ...)`, in two dimensions, which is fast."""
    flat = ops.reshape(rows, (rows.shape[0], -1)) * ops.reshape(factor, (1, -1))
    return ops.reshape(flat, rows.shape)


_shared: dict[tuple, "Products"] = {}


def products_for(module, input_shape: tuple, training: bool, closed_forms: bool) -> "Products":
    """Returns the products of a module, shared by all modules that differ in their weights only."""
    known = lowered(module) if closed_forms else None
    method: type[Autodiff] = Autodiff
    if known is not None and known.preactivation is not None:
        method = ResidualProducts if known.gate is None else HighwayProducts
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
