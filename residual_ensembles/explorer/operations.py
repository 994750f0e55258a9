"""A layer as a list of operations that a browser can run, with their weights.

Only inference is meant: batch normalisation becomes `x * scale + offset`, dropout is not known.
Kernels are rounded to float16, which is what the page has room for; the two numbers that a
normalisation has for each channel, and biases, stay float32.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np

from residual_ensembles.lesions.folding import Affine, affine
from residual_ensembles.models import BatchNormalization
from residual_ensembles.models.ends import Pipe
from residual_ensembles.models.preactivation import Preactivation


class Operation(NamedTuple):
    """One operation on an activation `(height, width, channels)`, row by row, channels together."""

    facts: dict
    """What it is (`op`) and its shape, as the page's forward pass reads them (forward.js)."""
    half: tuple[np.ndarray, ...] = ()
    """Weights that are rounded to float16."""
    single: tuple[np.ndarray, ...] = ()
    """Weights that are rounded to float32."""


RELU = Operation({"op": "relu"})


def operations(layer) -> list[Operation]:
    """Returns what a layer does in inference.

    Args:
        layer: A built layer of stem, module or head; None for the identity.

    Raises:
        ValueError: The layer is none that the explorer can run.
    """
    if layer is None:
        return []
    if type(layer) not in _KINDS:
        raise ValueError(
            f"Received layer {layer.name!r}, a {type(layer).__name__}, expected one that the "
            f"explorer can run: {', '.join(kind.__name__ for kind in _KINDS)}."
        )
    return _KINDS[type(layer)](layer)


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


def _conv(layer) -> list[Operation]:
    height, width = layer.kernel_size
    plain = (
        layer.padding == "same"
        and layer.data_format == "channels_last"
        and layer.groups == 1
        and layer.dilation_rate == (1, 1)
        and layer.strides[0] == layer.strides[1]
        and layer.activation is keras.activations.linear
        and not layer.use_bias
    )
    _require(plain, layer, "a padded convolution without bias, groups, dilation or activation")
    kernel = half(layer.kernel)
    facts = {"op": "conv", "kernel": [height, width, *kernel.shape[2:]]}
    return [Operation(facts | {"stride": layer.strides[0]}, half=(kernel,))]


def _affine(by: Affine) -> list[Operation]:
    single = tuple(np.asarray(part, np.float32) for part in by)
    return [Operation({"op": "affine", "channels": len(by.scale)}, single=single)]


def _batch_norm(layer) -> list[Operation]:
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    plain = axis in (-1, 3) and layer.scale and layer.center
    _require(plain, layer, "one over the last axis, with scale and centre")
    return _affine(affine(layer))


def _normalization(layer) -> list[Operation]:
    mean, variance = (np.ravel(np.asarray(v, np.float64)) for v in (layer.mean, layer.variance))
    _require(not layer.invert, layer, "one that is not inverted")
    deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
    return _affine(Affine(1.0 / deviation, -mean / deviation))


def _relu(layer) -> list[Operation]:
    plain = layer.max_value is None and layer.negative_slope == 0 and layer.threshold == 0
    _require(plain, layer, "max(x, 0)")
    return [RELU]


def _max_pool(layer) -> list[Operation]:
    sizes = {*layer.pool_size, *layer.strides}
    _require(len(sizes) == 1 and layer.padding == "valid", layer, "squares side by side")
    return [Operation({"op": "pool", "size": sizes.pop()})]


def _mean_pool(layer) -> list[Operation]:
    return [Operation({"op": "mean"})]


def _flatten(layer) -> list[Operation]:
    return []  # channels stand together in both


def _dense(layer) -> list[Operation]:
    plain = layer.activation is keras.activations.linear and layer.use_bias
    _require(plain, layer, "one with bias and without activation")
    kernel = half(layer.kernel)
    bias = np.asarray(layer.bias, np.float32)
    return [Operation({"op": "dense", "shape": list(kernel.shape)}, half=(kernel,), single=(bias,))]


def _pipe(layer) -> list[Operation]:
    return [operation for inner in layer.layers for operation in operations(inner)]


def _preactivation(layer) -> list[Operation]:
    return [
        operation
        for norm, conv in zip(layer.norms, layer.convs, strict=True)
        for operation in (*operations(norm), RELU, *operations(conv))
    ]


def _require(holds: bool, layer, expected: str) -> None:
    if not holds:
        raise ValueError(
            f"Received layer {layer.name!r}, a {type(layer).__name__} that the explorer cannot "
            f"run, expected {expected}."
        )


_KINDS: dict[type, Callable] = {
    keras.layers.Conv2D: _conv,
    BatchNormalization: _batch_norm,
    keras.layers.Normalization: _normalization,
    keras.layers.ReLU: _relu,
    keras.layers.MaxPooling2D: _max_pool,
    keras.layers.GlobalAveragePooling2D: _mean_pool,
    keras.layers.Flatten: _flatten,
    keras.layers.Dense: _dense,
    Pipe: _pipe,
    Preactivation: _preactivation,
}
"""What the explorer can run; batch norm, convolutions and pooling over pictures only."""
