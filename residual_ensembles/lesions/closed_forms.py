"""Our own modules as functions of a tensor and of weights, prepared for inference.

Two modules with equal keys are one function with different weights, and need one trace.
"""

import json
from collections.abc import Callable, Hashable
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from residual_ensembles import backend
from residual_ensembles.lesions.folding import Affine, affine, fold
from residual_ensembles.models import BatchNormalization, HighwayModule, Module, PlainModule
from residual_ensembles.models.ends import Pipe
from residual_ensembles.models.preactivation import Preactivation

WEIGHTLESS = (keras.layers.MaxPooling2D, keras.layers.ReLU)
"""Layers that may follow the sum: they are called as they are."""


class Form(NamedTuple):
    """A function, and the weights that make it that of one module."""

    key: Hashable
    """What the function is, apart from its weights."""
    function: Callable
    """`function(y, weights)`."""
    weights: tuple[np.ndarray | Affine, ...]
    """In float64, to be rounded once; an `Affine` is applied in float32 whatever the precision."""


def module_form(module) -> Form | None:
    """Returns what a module does when it runs, or None where it is not one of ours."""
    after = _after(module.activation) if type(module) in _KINDS else None
    inner = _KINDS[type(module)](module) if after is not None else None
    return None if inner is None else _then(inner, after)


def deleted_form(module) -> Form | None:
    """Returns what is left of a module that is deleted, or None where it is not one of ours."""
    if type(module) not in _KINDS:
        return None
    shortcut, after = _shortcut(module.shortcut), _after(module.activation)
    return None if shortcut is None or after is None else _then(shortcut, after)


def leaves_as_it_is(module) -> bool:
    """Whether what enters a module leaves it unchanged when the module is deleted.

    It is known of our own modules and of those that say so; of any other one it is not, and false.
    """
    if type(module) in _KINDS:
        return module.shortcut is None and module.activation is None
    return getattr(module, "leaves_as_it_is", False)


def _then(first: Form, second: Form) -> Form:
    """One form after another; the second has no weights."""

    def function(y, weights):
        return second.function(first.function(y, weights), ())

    return Form((first.key, second.key), function, first.weights)


def _identity() -> Form:
    return Form("identity", lambda y, _: y, ())


def _conv(y, kernel, strides, bias=None):
    y = ops.conv(y, kernel, strides=strides, padding="same", data_format="channels_last")
    return y if bias is None else ops.add(y, bias)


def _is_plain(layer, activation) -> bool:
    """Whether a layer is a padded convolution with nothing special about it."""
    return (
        type(layer) is keras.layers.Conv2D
        and layer.padding == "same"
        and layer.data_format == "channels_last"
        and (layer.groups, *layer.dilation_rate) == (1, 1, 1)
        and layer.activation is activation
    )


def _shortcut(layer) -> Form | None:
    if layer is None:
        return _identity()
    if not _is_plain(layer, keras.activations.linear) or layer.use_bias:
        return None
    strides = layer.strides

    def function(y, weights):
        return _conv(y, weights[0], strides)

    return Form(("projection", strides), function, (_array(layer.kernel),))


def _after(layer) -> Form | None:
    if layer is None:
        return _identity()
    if type(layer) not in WEIGHTLESS:
        return None
    config = {name: value for name, value in layer.get_config().items() if name != "name"}
    key = (type(layer).__name__, json.dumps(config, sort_keys=True, default=str))
    return Form(key, lambda y, _: ops.cast(layer(y), y.dtype), ())


def _preactivation(layer, scale: float = 1.0) -> Form | None:
    """The first norm stands before a ReLU and stays; any other goes into the conv before it."""
    if type(layer) is not Preactivation:
        return None
    first, *others = (affine(norm) for norm in layer.norms)
    *inner, last = (conv.kernel for conv in layer.convs)
    folded = [fold(kernel, norm) for kernel, norm in zip(inner, others, strict=True)]
    weights = (first, *(w for pair in folded for w in pair), _array(last) * scale)
    strides = tuple(conv.strides for conv in layer.convs)

    def function(y, weights):
        norm, *pairs, last = weights
        z = ops.relu(backend.scale_channels(y, *norm))
        for kernel, bias, stride in zip(pairs[::2], pairs[1::2], strides[:-1], strict=True):
            z = ops.relu(_conv(z, kernel, stride, bias))
        return _conv(z, last, strides[-1])

    return Form(("preactivation", strides), function, weights)


def _residual(module: Module) -> Form | None:
    transform = _preactivation(module.transform, module.survival_probability)
    shortcut = _shortcut(module.shortcut)
    if transform is None or shortcut is None:
        return None
    n = len(transform.weights)

    def function(y, weights):
        return shortcut.function(y, weights[n:]) + transform.function(y, weights[:n])

    key = ("residual", transform.key, shortcut.key)
    return Form(key, function, transform.weights + shortcut.weights)


def _highway(module: HighwayModule) -> Form | None:
    transform, shortcut = _preactivation(module.transform), _shortcut(module.shortcut)
    gate = module.openness
    known = _is_plain(gate, keras.activations.sigmoid) and gate.use_bias
    if transform is None or shortcut is None or not known:
        return None
    n, strides = len(transform.weights), gate.strides

    def function(y, weights):
        kernel, bias, *carry = weights[n:]
        t = ops.sigmoid(_conv(y, kernel, strides, bias))
        transformed = transform.function(y, weights[:n])
        return t * transformed + (1.0 - t) * shortcut.function(y, carry)

    weights = (*transform.weights, _array(gate.kernel), _array(gate.bias), *shortcut.weights)
    return Form(("highway", transform.key, strides, shortcut.key), function, weights)


def _plain(module: PlainModule) -> Form | None:
    """Convolution, norm and ReLU: the norm follows the convolution and goes into it."""
    layers = module.transform.layers if type(module.transform) is Pipe else ()
    if [type(layer) for layer in layers] != [
        keras.layers.Conv2D,
        BatchNormalization,
        keras.layers.ReLU,
    ]:
        return None
    conv, norm, relu = layers
    if not _is_plain(conv, keras.activations.linear) or conv.use_bias:
        return None
    strides = conv.strides

    def function(y, weights):
        return ops.cast(relu(_conv(y, weights[0], strides, weights[1])), y.dtype)

    key = ("plain", strides, relu.max_value, relu.negative_slope, relu.threshold)
    return Form(key, function, fold(conv.kernel, affine(norm)))


def _array(variable) -> np.ndarray:
    return np.asarray(variable, np.float64)


_KINDS = {Module: _residual, HighwayModule: _highway, PlainModule: _plain}
