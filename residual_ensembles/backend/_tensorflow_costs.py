"""Multiply-adds of a function on TensorFlow, counted in its graph."""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf


def multiply_adds(function: Callable, shapes: Sequence[tuple], dtypes: Sequence[str]) -> int:
    """Returns the multiply-adds that convolutions and products of matrices take for one example.

    What goes through numbers one by one, as norms and activations do, is not counted; of a loop,
    nothing is.

    Args:
        function: From tensors to tensors.
        shapes: Of the tensors, without batch.
        dtypes: Their types.
    """
    specs = [tf.TensorSpec((1, *s), d) for s, d in zip(shapes, dtypes, strict=True)]
    graph = tf.function(function, autograph=False).get_concrete_function(*specs).graph
    return sum(_COUNTS[op.type](op) for op in graph.get_operations() if op.type in _COUNTS)


def _numbers(tensor) -> int:
    return math.prod(tensor.shape)


def _convolution(op) -> int:
    return _numbers(op.outputs[0]) * math.prod(op.inputs[1].shape[:-1])


def _depthwise(op) -> int:
    return _numbers(op.outputs[0]) * math.prod(op.inputs[1].shape[:2])


def _transposed(op) -> int:
    return _numbers(op.inputs[2]) * math.prod(op.inputs[1].shape[:-1])


def _matmul(op) -> int:
    return _numbers(op.outputs[0]) * op.inputs[0].shape[0 if op.get_attr("transpose_a") else 1]


def _batch_matmul(op) -> int:
    return _numbers(op.outputs[0]) * op.inputs[0].shape[-2 if op.get_attr("adj_x") else -1]


def _einsum(op) -> int:
    inputs, output = op.get_attr("equation").decode().split("->")
    sizes = {}
    for letters, tensor in zip(inputs.split(","), op.inputs, strict=True):
        first, _, last = letters.partition("...")
        shape = list(tensor.shape)
        sizes |= dict(zip(first, shape, strict=False))
        sizes |= dict(zip(reversed(last), reversed(shape), strict=False))
    summed = math.prod(size for letter, size in sizes.items() if letter not in output)
    return _numbers(op.outputs[0]) * summed


_COUNTS = {
    "BatchMatMulV2": _batch_matmul,
    "BatchMatMulV3": _batch_matmul,
    "Conv2D": _convolution,
    "Conv2DBackpropInput": _transposed,
    "Conv3D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
    "Einsum": _einsum,
    "MatMul": _matmul,
}
