"""Randomness as a function of what it is for, never of what was drawn before.

A resumed run equals an unbroken one, and a larger study contains a smaller one, because every
draw is made by a generator of its own, named by seed and purpose.
"""

import zlib

import numpy as np

from residual_ensembles.arguments import require_integer


def _entropy(part: str | int) -> int:
    return zlib.crc32(part.encode()) if isinstance(part, str) else int(part)


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Returns the generator that belongs to (seed, purpose).

    Words and numbers, 0 or larger, name the draw, for instance `("gates", step)`.
    """
    seed = require_integer("seed", seed)
    return np.random.default_rng([seed, *map(_entropy, purpose)])


def integer_seed(seed: int, *purpose: str | int) -> int:
    """Returns a 31-bit seed that belongs to (seed, purpose), for APIs that take an integer."""
    return int(generator(seed, *purpose).integers(2**31))


def stratified_draw(labels: np.ndarray, n: int, random: np.random.Generator) -> np.ndarray:
    """Draws `n` of the images so that each class has its share to within one image.

    Args:
        labels: Class of each image, integers, shape `(n_images,)`.
        n: How many to draw, 0..n_images.
        random: Where the randomness comes from.

    Returns:
        Positions of the drawn images, ascending, shape `(n,)`.

    Example:
        >>> labels = np.array([0, 0, 0, 0, 1, 1])
        >>> labels[stratified_draw(labels, 3, np.random.default_rng(0))].tolist()
        [0, 0, 1]

    Raises:
        ValueError: There are fewer than `n` images.
    """
    if not 0 <= n <= len(labels):
        raise ValueError(f"Received {n} images to draw; expected 0 to {len(labels)}.")
    classes, counts = np.unique(labels, return_counts=True)
    exact = counts * (n / max(1, len(labels)))
    quotas = np.floor(exact + 1e-9).astype(int)  # n of n must not lose one to rounding
    largest_remainders = np.argsort(quotas - exact, kind="stable")[: n - quotas.sum()]
    quotas[largest_remainders] += 1
    chosen = [
        random.choice(np.flatnonzero(labels == class_), quota, replace=False)
        for class_, quota in zip(classes, quotas, strict=True)
    ]
    return np.sort(np.concatenate([np.empty(0, np.int64), *chosen]))
