"""How much computing a layer is, without running it."""

import math


def multiply_adds(layer, output_shape: tuple) -> float:
    """Returns an estimate of the multiply-adds of a layer for one picture.

    Each weight of a kernel counts once for each position of what leaves the layer: exact where all
    convolutions in it have one resolution.

    Args:
        layer: A module, or a segment between two.
        output_shape: Of what leaves it, without batch, channels last.
    """
    kernels = [v.shape for v in layer.variables if len(v.shape) > 1]
    return float(math.prod(output_shape[:-1]) * sum(map(math.prod, kernels)))
