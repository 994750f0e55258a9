"""Vector-Jacobian products of pre-activation modules, in closed form.

They equal those of automatic differentiation and are about twice as fast: nothing of the forward
pass is repeated, and between two convolutions there is one multiplication by 0 or 1. The factors of
batch normalization and the survival probability are in the kernels.
"""

from functools import partial

from keras import ops

from residual_ensembles import backend
from residual_ensembles.models.lowering import Convolution, lowered
from residual_ensembles.models.module import Module
from residual_ensembles.paths.autodiff import Autodiff, frozen
from residual_ensembles.paths.cotangents import stacked


def products_of(module: Module) -> type[Autodiff]:
    """Returns the class with the closed form of a module, or `Autodiff` if it has none."""
    known = lowered(module)
    if known is None or known.preactivation is None:
        return Autodiff
    return ResidualProducts if known.gate is None else HighwayProducts


class _Preactivation(Autodiff):
    """Products of a module whose residual repeats norm, ReLU, convolution."""

    def __init__(self, module, training: bool):
        super().__init__(module, training)
        known = lowered(module)
        if known is None or known.preactivation is None:
            raise ValueError(f"Received {module.name}, expected a pre-activation module.")
        self.steps, self.gate = known.preactivation, known.gate
        self.projection = next((s for s in known.skip if isinstance(s, Convolution)), None)

    def _transform(self, y):
        """Returns f(y) and, for each convolution, what its backward pass needs."""
        steps = []
        for norm, convolution in self.steps:
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
        backwards = zip(self.steps[::-1], steps[::-1], strict=True)
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
