"""Random draws of an epoch: the order of its images, and uniform numbers for each.

An image's numbers depend on (seed, epoch, index of the image) and not on the batch that it is
in, so any batch of any epoch can be computed at once, in any order and on any machine. NumPy's
generators are fast for one long stream and slow for many short ones; here each number is the hash
of its own position instead, computed for a batch at once.
"""

import numpy as np

from residual_ensembles.arguments import checked, require_integer
from residual_ensembles.statistics.randomness import generator

# SplitMix64, Steele, Lea & Flood (2014), "Fast splittable pseudorandom number generators", Fig. 14
# and 17: the increment (2^64 divided by the golden ratio) and the two multipliers of the finalizer.
_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


@checked
def order(seed: int, epoch: int, n: int) -> np.ndarray:
    """Returns the order of the images in an epoch, a function of (seed, epoch).

    Args:
        seed: Seed of the study.
        epoch: The epoch, counted from 1.
        n: The number of images in the split.

    Returns:
        A permutation of 0..n-1, int64.

    Raises:
        TypeError: An argument is not an integer.
        ValueError: One is negative.

    Example:
        >>> sorted(order(seed=0, epoch=1, n=4).tolist())
        [0, 1, 2, 3]
    """
    require_integer("seed", seed)
    require_integer("epoch", epoch)
    return generator(seed, "order", epoch).permutation(require_integer("n", n))


def uniform(seed: int, epoch: int, indices: np.ndarray, n: int) -> np.ndarray:
    """Returns `n` uniform numbers for each image, a function of (seed, epoch, index).

    Returns:
        Numbers in [0, 1), float64, shape `(batch, n)`.
    """
    key = generator(seed, "augmentation", epoch).integers(2**64, dtype=np.uint64)
    rows = np.asarray(indices, dtype=np.uint64)[:, np.newaxis]
    position = rows * np.uint64(n) + np.arange(1, n + 1, dtype=np.uint64)
    mixed: np.ndarray = np.array([key]) + position * _INCREMENT
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MULTIPLIERS[0]
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MULTIPLIERS[1]
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)) * 2.0**-53  # the 53 bits that a float64 holds
