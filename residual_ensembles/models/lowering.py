"""Our modules lowered to primitives: norms, ReLUs, convolutions and gates.

The lesion engine, the path products, the explorer and the highway network with gates of ½ read
these records, each in its own way. A module without a lowering is run as a layer.

To add a kind of module, enter a function in `_MODULES`, or in `_LAYERS` where only its transform is
new.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import keras
import numpy as np

from residual_ensembles.models.blocks import BatchNormalization, Preactivation
from residual_ensembles.models.highway import HighwayModule
from residual_ensembles.models.module import Module
from residual_ensembles.models.stem_head import LayerSequence
from residual_ensembles.models.vgg import PlainModule

AFTER = (type(None), keras.layers.MaxPooling2D, keras.layers.ReLU)
"""Layers that may follow the sum; they have no weights."""


class Affine(NamedTuple):
    """`x * scale + offset` for each channel, in float64."""

    scale: np.ndarray
    offset: np.ndarray


class Norm(NamedTuple):
    """Batch normalization over the last axis; the variables are `(channels,)`."""

    gamma: keras.Variable
    beta: keras.Variable
    mean: keras.Variable
    variance: keras.Variable
    epsilon: float

    def affine(self) -> Affine:
        """Returns the affine function that it is in inference, by the moving statistics."""
        gamma, beta, mean, variance = (np.asarray(v, np.float64) for v in self[:4])
        scale = gamma / np.sqrt(variance + self.epsilon)
        return Affine(scale, beta - mean * scale)


class Relu(NamedTuple):
    """`max(x, 0)`."""


class Convolution(NamedTuple):
    """A convolution with padding "same", without groups or dilation."""

    kernel: keras.Variable
    """`(height, width, channels, filters)`."""
    strides: int
    bias: keras.Variable | None
    layer: keras.layers.Conv2D
    """The layer, with its activation."""


Primitive = Norm | Relu | Convolution


class Lowered(NamedTuple):
    """A module: `after(skip(y) + p f(y))`, or `after(t(y) f(y) + (1 − t(y)) skip(y))` with a gate.

    Deleted, it is `after(skip(y))`, also where it has no skip and runs as `after(f(y))`.
    """

    residual: tuple[Primitive, ...] | None
    """f; None where only the deleted module is known."""
    skip: tuple[Primitive, ...]
    """() for the identity."""
    after: keras.layers.Layer | None
    """A layer without weights; None for the identity."""
    has_skip: bool = True
    survival: float = 1.0
    """p, 0 < p <= 1."""
    gate: Convolution | None = None
    """t is the sigmoid of it."""

    @property
    def is_identity_when_deleted(self) -> bool:
        """Whether the deleted module is the identity."""
        return not self.skip and self.after is None

    @property
    def preactivation(self) -> tuple[tuple[Norm, Convolution], ...] | None:
        """Norms and convolutions of f, where it is `W σ(B(… W' σ(B(y))))`; None for other modules.

        The skip is then the identity or one convolution, and nothing follows the sum.
        """
        kinds, skip = ([type(each) for each in part] for part in (self.residual or (), self.skip))
        plain = self.has_skip and self.after is None and skip in ([], [Convolution])
        if not plain or not kinds or kinds != [Norm, Relu, Convolution] * (len(kinds) // 3):
            return None
        norms = [each for each in self.residual or () if isinstance(each, Norm)]
        convolutions = [each for each in self.residual or () if isinstance(each, Convolution)]
        return tuple(zip(norms, convolutions, strict=True))


def lowered(module: Any) -> Lowered | None:
    """Returns a built module as records of its variables; None where it has no lowering."""
    lower = _MODULES.get(type(module))
    if lower is None or type(module.activation) not in AFTER:
        return None
    skip = primitives(module.shortcut)
    return None if skip is None else lower(module, skip)


def primitives(layer: Any) -> tuple[Primitive, ...] | None:
    """Returns a built layer as primitives, () for None; None where it has no lowering."""
    if layer is None:
        return ()
    lower = _LAYERS.get(type(layer))
    return None if lower is None else lower(layer)


def _residual(module: Module, skip: tuple[Primitive, ...]) -> Lowered:
    survival = module.survival_probability
    return Lowered(primitives(module.transform), skip, module.activation, survival=survival)


def _highway(module: HighwayModule, skip: tuple[Primitive, ...]) -> Lowered:
    gate = _convolution(module.transform_gate, keras.activations.sigmoid)
    transform = None if gate is None or gate.bias is None else primitives(module.transform)
    return Lowered(transform, skip, module.activation, gate=gate)


def _plain(module: PlainModule, _) -> Lowered:
    return Lowered(primitives(module.transform), (), module.activation, has_skip=False)


_MODULES: dict[type, Callable[..., Lowered]] = {
    Module: _residual,
    HighwayModule: _highway,
    PlainModule: _plain,
}


def _convolution(layer, activation=keras.activations.linear) -> Convolution | None:
    plain = (
        type(layer) is keras.layers.Conv2D
        and (layer.padding, layer.data_format) == ("same", "channels_last")
        and (layer.groups, *layer.dilation_rate) == (1, 1, 1)
        and layer.strides[0] == layer.strides[1]
        and layer.activation is activation
    )
    bias = layer.bias if plain and layer.use_bias else None
    return Convolution(layer.kernel, layer.strides[0], bias, layer) if plain else None


def _conv(layer) -> tuple[Primitive, ...] | None:
    result = _convolution(layer)
    return None if result is None or result.bias is not None else (result,)


def _norm(layer) -> tuple[Primitive, ...] | None:
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    if axis not in (-1, 3) or not (layer.scale and layer.center):
        return None
    variables = layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance
    return (Norm(*variables, layer.epsilon),)


def _relu(layer) -> tuple[Primitive, ...] | None:
    plain = (layer.max_value, layer.negative_slope, layer.threshold) == (None, 0, 0)
    return (Relu(),) if plain else None


def _preactivation(layer: Preactivation) -> tuple[Primitive, ...] | None:
    pairs = zip(layer.norms, layer.convs, strict=True)
    return _joined(part for n, c in pairs for part in (_norm(n), (Relu(),), _conv(c)))


def _sequence(layer: LayerSequence) -> tuple[Primitive, ...] | None:
    return _joined(map(primitives, layer.layers))


def _joined(parts: Iterable[tuple[Primitive, ...] | None]) -> tuple[Primitive, ...] | None:
    result: list[Primitive] = []
    for part in parts:
        if part is None:
            return None
        result += part
    return tuple(result)


_LAYERS: dict[type, Callable[..., tuple[Primitive, ...] | None]] = {
    keras.layers.Conv2D: _conv,
    BatchNormalization: _norm,
    keras.layers.ReLU: _relu,
    Preactivation: _preactivation,
    LayerSequence: _sequence,
}
