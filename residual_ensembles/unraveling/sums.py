"""Layers by what they do to what passes: add it up, project it, activate it."""

import keras
import numpy as np
from keras import ops

from residual_ensembles.unraveling.graph import Node

# A skip is the identity, or something that moves, pools or projects what passes. A layer of another
# kind beside it makes a branch a residual.
LINEAR = (
    keras.layers.AveragePooling1D,
    keras.layers.AveragePooling2D,
    keras.layers.BatchNormalization,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3D,
    keras.layers.Cropping2D,
    keras.layers.Dense,
    keras.layers.DepthwiseConv2D,
    keras.layers.Dropout,
    keras.layers.EinsumDense,
    keras.layers.GroupNormalization,
    keras.layers.Identity,
    keras.layers.LayerNormalization,
    keras.layers.MaxPooling1D,
    keras.layers.MaxPooling2D,
    keras.layers.Permute,
    keras.layers.Reshape,
    keras.layers.SeparableConv2D,
    keras.layers.SpatialDropout2D,
    keras.layers.UpSampling2D,
    keras.layers.ZeroPadding2D,
)
ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ELU,
    keras.layers.LeakyReLU,
    keras.layers.ReLU,
)
# Operations that `keras.ops` records under these names.
ACTIVATION_OPERATIONS = {"Relu", "Relu6", "LeakyRelu", "Elu", "Gelu", "Silu", "Selu", "Tanh"}


def is_addition(node: Node) -> bool:
    """Whether a node adds two or more tensors, one of them possibly times something."""
    if len(node.inputs) < 2 or len(node.outputs) != 1:
        return False
    if is_plain_sum(node):
        return True
    is_layer = isinstance(node.operation, keras.layers.Layer)
    return is_layer and not node.variables and _adds(node)


def _recorded_as(node: Node, names: set[str]) -> bool:
    kind = type(node.operation)
    return kind.__name__ in names and kind.__module__.startswith("keras.")


def _adds(node: Node) -> bool:
    """Whether a layer without weights returns its first tensor plus something of the others.

    The residual blocks of InceptionResNetV2, for instance, end in a layer of its own. It is tried
    on two numbers: a layer that does not take them does something else.
    """
    if type(node.operation).__module__.startswith("keras.src.layers.") or len(node.inputs) != 2:
        return False
    first, second = np.array([[2.0, 3.0]], "float32"), np.array([[5.0, 7.0]], "float32")

    def tried(*arrays):
        values = dict(zip(node.inputs, map(ops.convert_to_tensor, arrays), strict=True))
        node.call(values, training=False)
        return np.asarray(values[node.outputs[0]])

    try:
        alone, other = tried(first, 0 * first), tried(0 * first, second)
        both, more = tried(first, second), tried(first, 2 * second)
    except Exception:
        return False
    return bool(
        np.array_equal(alone, first)
        and np.allclose(both, first + other, rtol=1e-5)
        and np.allclose(more, first + 2 * other, rtol=1e-5)
    )


class Scaled:
    """What a layer adds to its first tensor: the layer itself with a zero in that place.

    Args:
        node: The call of the layer.
    """

    def __init__(self, node: Node):
        self.node = node
        self.name = f"{node.name}_residual"

    def __call__(self, first, second):
        values = dict(zip(self.node.inputs, (ops.zeros_like(first), second), strict=True))
        self.node.call(values, training=False)
        return values[self.node.outputs[0]]


def is_linear(node: Node) -> bool:
    """Whether a node moves, pools or projects what passes, and nothing else."""
    activation = getattr(node.operation, "activation", None)
    return isinstance(node.operation, LINEAR) and activation in (None, keras.activations.linear)


def is_activation(node: Node) -> bool:
    """Whether a node is an activation without weights, number by number."""
    if node.variables or len(node.inputs) != 1:
        return False
    softmax = getattr(node.operation, "activation", None) is keras.activations.softmax
    known = isinstance(node.operation, ACTIVATIONS) or _recorded_as(node, ACTIVATION_OPERATIONS)
    return known and not softmax


def is_plain_sum(node: Node) -> bool:
    """Whether a node adds its tensors as they are."""
    return isinstance(node.operation, keras.layers.Add) or _recorded_as(node, {"Add"})
