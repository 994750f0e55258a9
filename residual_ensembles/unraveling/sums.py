"""Which layers and operations add their inputs, are linear, or are activations."""

from collections.abc import Sequence

import keras
from keras import ops

from residual_ensembles.unraveling.graph import Node

# A skip is the identity, or something that moves, pools, scales or projects what passes. A layer of
# another kind beside it makes a branch a residual.
LINEAR = (
    keras.layers.AveragePooling1D,
    keras.layers.AveragePooling2D,
    keras.layers.AveragePooling3D,
    keras.layers.BatchNormalization,
    keras.layers.Conv1D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3D,
    keras.layers.Conv3DTranspose,
    keras.layers.Cropping1D,
    keras.layers.Cropping2D,
    keras.layers.Cropping3D,
    keras.layers.Dense,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.Dropout,
    keras.layers.EinsumDense,
    keras.layers.GroupNormalization,
    keras.layers.Identity,
    keras.layers.LayerNormalization,
    keras.layers.MaxPooling1D,
    keras.layers.MaxPooling2D,
    keras.layers.MaxPooling3D,
    keras.layers.Permute,
    keras.layers.RMSNormalization,
    keras.layers.Rescaling,
    keras.layers.Reshape,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
    keras.layers.UpSampling1D,
    keras.layers.UpSampling2D,
    keras.layers.UpSampling3D,
    keras.layers.ZeroPadding1D,
    keras.layers.ZeroPadding2D,
    keras.layers.ZeroPadding3D,
)
"""Known without a trial: for speed, and since a trial would find that max pooling and normalization
are not linear."""
MOVES = {"AveragePool", "ExpandDims", "GetItem", "MaxPool", "Reshape", "Squeeze", "Transpose"}
"""Operations that `keras.ops` records under these names."""
EXCHANGES = {"Dot", "Einsum", "Matmul", "Moveaxis", "Swapaxes", "Tensordot", "Transpose"}
"""Operations after which an axis may be another one though the shape is equal, by these names."""
SUMS = (keras.layers.Average, keras.layers.Lambda, keras.layers.Subtract)
NONLINEAR = (
    keras.layers.Attention,
    keras.layers.MultiHeadAttention,
    keras.layers.RNN,
    keras.layers.Softmax,
)
ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ELU,
    keras.layers.LeakyReLU,
    keras.layers.ReLU,
)
# Operations that `keras.ops` records under these names.
ACTIVATION_OPERATIONS = {"Relu", "Relu6", "LeakyRelu", "Elu", "Gelu", "Silu", "Selu", "Tanh"}


def may_add(node: Node) -> bool:
    """Whether a node may add its inputs, which only a trial can tell: a `Lambda`, a custom layer.

    The layers of Keras that add are known.
    """
    if len(node.inputs) < 2 or len(node.outputs) != 1 or is_plain_sum(node):
        return False
    if isinstance(node.operation, SUMS) or _recorded_as(node, {"Subtract", "Average"}):
        return True
    is_layer = isinstance(node.operation, keras.layers.Layer)
    return is_layer and not type(node.operation).__module__.startswith("keras.src.layers.")


def _recorded_as(node: Node, names: set[str]) -> bool:
    kind = type(node.operation)
    return kind.__name__ in names and kind.__module__.startswith("keras.")


class SumTerm:
    """One term of a layer that adds: its output where all other inputs are zeros."""

    def __init__(self, node: Node, index: int, shapes: Sequence[tuple], operation=None):
        self.node = node
        self.index = index
        self.shapes = list(shapes)
        self.operation = operation or node.operation
        self.name = f"{node.name}_term{index + 1}"

    @property
    def variables(self) -> list:
        """The variables of the layer."""
        return self.node.variables

    @property
    def weights(self) -> list:
        """The weights of the layer."""
        return self.node.weights

    def __call__(self, x):
        values = {
            tensor: self._zeros(x, shape)
            for tensor, shape in zip(self.node.inputs, self.shapes, strict=True)
        }
        values[self.node.inputs[self.index]] = x
        self.node.call(values, training=False, operation=self.operation)
        return values[self.node.outputs[0]]

    def _zeros(self, x, shape: tuple):
        if shape == self.shapes[self.index]:
            return ops.zeros_like(x)
        one = ops.zeros_like(x[(slice(None), *[slice(1)] * len(shape))])
        return ops.tile(one, (1, *shape))


class Repeated:
    """A term of a sum, broadcast by repeating it along each axis but the first."""

    def __init__(self, name: str, repeats: tuple[int, ...]):
        self.name = name
        self.repeats = repeats

    def __call__(self, x):
        return ops.tile(x, (1, *self.repeats))


class Difference:
    """The residual of a layer: its output minus one of its inputs."""

    def __init__(self, name: str):
        self.name = name

    def __call__(self, output, skip):
        return ops.subtract(output, skip)


def exchanges_axes(node: Node) -> bool:
    """Whether a node is known to exchange axes, or to flatten them."""
    moving = keras.layers.Permute, keras.layers.Dot, keras.layers.Flatten, keras.layers.Reshape
    return isinstance(node.operation, moving) or _recorded_as(node, EXCHANGES)


def is_linear(node: Node) -> bool:
    """Whether a node is known to be linear, as one that moves, pools or projects."""
    if isinstance(node.operation, SumTerm | Repeated) or _recorded_as(node, MOVES):
        return True
    activation = getattr(node.operation, "activation", None)
    return isinstance(node.operation, LINEAR) and activation in (None, keras.activations.linear)


def is_nonlinear(node: Node) -> bool:
    """Whether a node is known not to be linear, so that no trial is needed."""
    activation = getattr(node.operation, "activation", None)
    if activation is keras.activations.linear:  # the rest of the layer may be anything
        return False
    return activation is not None or is_activation(node) or isinstance(node.operation, NONLINEAR)


def is_activation(node: Node) -> bool:
    """Whether a node is an elementwise activation without weights."""
    if node.variables or len(node.inputs) != 1:
        return False
    softmax = getattr(node.operation, "activation", None) is keras.activations.softmax
    known = isinstance(node.operation, ACTIVATIONS) or _recorded_as(node, ACTIVATION_OPERATIONS)
    return known and not softmax


def is_plain_sum(node: Node) -> bool:
    """Whether a node adds its inputs as they are."""
    return isinstance(node.operation, keras.layers.Add) or _recorded_as(node, {"Add"})
