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

    Example:
        >>> sorted(order(seed=0, epoch=1, n=4).tolist())
        [0, 1, 2, 3]
    """
    return generator(seed, "order", epoch).permutation(n)
