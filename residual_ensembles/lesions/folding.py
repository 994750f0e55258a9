"""Batch normalisation folded into what stands beside it, for inference only."""

from typing import NamedTuple

import numpy as np


class Affine(NamedTuple):
    """Batch normalisation with its statistics fixed: `x * scale + offset`, per channel."""

    scale: np.ndarray
    offset: np.ndarray


def affine(norm) -> Affine:
    """Returns what a batch-normalisation layer does in inference.

    Args:
        norm: A `keras.layers.BatchNormalization` with scale and centre.
    """
    gamma, beta, mean, variance = (
        np.asarray(v, np.float64)
        for v in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
    )
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return Affine(scale, beta - mean * scale)


def fold(kernel, following: Affine) -> tuple[np.ndarray, np.ndarray]:
    """Returns kernel and bias of a convolution that does the work of the norm that follows it.

    Args:
        kernel: `(height, width, channels, filters)`, of a convolution without bias.
        following: The batch normalisation of its filters.
    """
    return np.asarray(kernel, np.float64) * following.scale, following.offset
