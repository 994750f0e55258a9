"""A layer as a list of operations that a browser can run, with their weights.

Only inference is meant: batch normalization becomes `x * scale + offset`, dropout is not known.
Kernels are rounded to float16, which is what the page has room for; the two numbers that a
normalization has for each channel, and biases, stay float32.
"""

from typing import NamedTuple

import keras
import numpy as np

from residual_ensembles.models.lowering import Affine, Norm, Primitive, Relu, primitives
from residual_ensembles.models.stem_head import LayerSequence


class Operation(NamedTuple):
    """One operation on an activation `(height, width, channels)`, row by row, channels last."""

    facts: dict
    """Kind (`op`) and shape, as the page's forward pass reads them (forward.js)."""
    half: tuple[np.ndarray, ...] = ()
    """Weights that are rounded to float16."""
    single: tuple[np.ndarray, ...] = ()
    """Weights that are rounded to float32."""


def operations(layer) -> list[Operation]:
    """Returns the operations of a layer in inference.

    Args:
        layer: A built layer of stem or head, or one that follows a module; None for the identity.

    Raises:
        ValueError: The explorer cannot run the layer.
    """
    if type(layer) is LayerSequence:
        return [each for inner in layer.layers for each in operations(inner)]
    known = primitives(layer)
    if known is not None:
        return [operation(primitive) for primitive in known]
    make = _WITHOUT_LOWERING.get(type(layer))
    made = None if make is None else make(layer)
    if made is None:
        raise ValueError(
            f"Received layer {layer.name!r}, a {type(layer).__name__}, expected one that the "
            f"explorer can run: {SUPPORTED}."
        )
    return made


def operation(primitive: Primitive) -> Operation:
    """Returns a primitive of a lowered layer as an operation."""
    if isinstance(primitive, Norm):
        return _affine(primitive.affine())
    if isinstance(primitive, Relu):
        return Operation({"op": "relu"})
    kernel = half(primitive.kernel)
    facts = {"op": "conv", "kernel": list(kernel.shape), "stride": primitive.strides}
    return Operation(facts, half=(kernel,))


def half(array) -> np.ndarray:
    """Returns weights rounded to float16.

    Raises:
        ValueError: One of them is too large for float16, or not finite.
    """
    with np.errstate(over="ignore"):
        rounded = np.asarray(array, np.float32).astype(np.float16)
    if not np.isfinite(rounded).all():
        raise ValueError(
            f"Received a weight of size {np.abs(np.asarray(array)).max():.3g}, expected at most "
            "65504, the largest number of float16."
        )
    return rounded


def _affine(by: Affine) -> Operation:
    single = tuple(np.asarray(part, np.float32) for part in by)
    return Operation({"op": "affine", "channels": len(by.scale)}, single=single)


def _normalization(layer) -> list[Operation] | None:
    if layer.invert:
        return None
    mean, variance = (np.ravel(np.asarray(v, np.float64)) for v in (layer.mean, layer.variance))
    deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
    return [_affine(Affine(1.0 / deviation, -mean / deviation))]


def _max_pool(layer) -> list[Operation] | None:
    sizes = {*layer.pool_size, *layer.strides}
    if len(sizes) > 1 or layer.padding != "valid":
        return None
    return [Operation({"op": "pool", "size": sizes.pop()})]


def _dense(layer) -> list[Operation] | None:
    if layer.activation is not keras.activations.linear or not layer.use_bias:
        return None
    kernel = half(layer.kernel)
    bias = np.asarray(layer.bias, np.float32)
    return [Operation({"op": "dense", "shape": list(kernel.shape)}, half=(kernel,), single=(bias,))]


_WITHOUT_LOWERING = {
    keras.layers.Normalization: _normalization,
    keras.layers.MaxPooling2D: _max_pool,
    keras.layers.GlobalAveragePooling2D: lambda _: [Operation({"op": "mean"})],
    keras.layers.Flatten: lambda _: [],  # channels are last in both
    keras.layers.Dense: _dense,
}
SUPPORTED = (
    "Conv2D (square steps, padded, without bias, groups, dilation or activation), "
    "BatchNormalization (of this project, over the last axis, with scale and center), "
    "Normalization (not inverted), ReLU (max(x, 0)), MaxPooling2D (squares side by side), "
    "GlobalAveragePooling2D, Flatten, Dense (with bias and without activation)"
)
"""Layers of stem and head that the explorer can run, as errors list them."""
