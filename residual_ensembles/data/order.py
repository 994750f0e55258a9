"""The order in which an epoch visits the training pictures."""

import numpy as np

from residual_ensembles.randomness import generator


def order(seed: int, epoch: int, n: int) -> np.ndarray:
    """Returns the order of the pictures in an epoch, a function of (seed, epoch).

    Args:
        seed: The study's seed.
        epoch: The epoch, counted from 1.
        n: The number of pictures in the part.

    Returns:
        A permutation of 0..n-1, int64.
    """
    return generator(seed, "order", epoch).permutation(n)
