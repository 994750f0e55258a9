"""What training a network may take in memory: a function of shapes, without running anything."""

import math

MAPS_OF_CONVOLUTION = 6
"""Feature maps that are there for each convolution at the end of the forward pass, of its output's
size: normalised, rectified and convolved, and the gradient of each at the worst."""
COPIES_OF_WEIGHTS = 4
"""Weights, gradients, momentum, and a checkpoint on its way to the disk."""
WEIGHT_BYTES = 4
"""In float32, whatever is computed in."""
LEAST_BYTES = 2**30
"""What evaluating between epochs takes, however small the network."""


def training_bytes(chain, batch_size: int, number_bytes: int = 4) -> int:
    """Returns what training may take, beside Python, the libraries and the pictures.

    Args:
        chain: The network.
        batch_size: Pictures in a step.
        number_bytes: Of a number that is computed: 4 in float32, 2 in bfloat16.
    """
    maps = sum(
        math.prod(shape[:-1]) * variable.shape[-1]
        for module, shape in zip(chain.modules, chain.shapes[1:], strict=True)
        for variable in module.variables
        if len(variable.shape) > 1
    )
    weights = COPIES_OF_WEIGHTS * WEIGHT_BYTES * chain.count_params()
    activations = MAPS_OF_CONVOLUTION * maps * batch_size * number_bytes
    return max(LEAST_BYTES, activations + weights)
