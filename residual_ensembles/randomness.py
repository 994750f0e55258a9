"""Randomness as a function of what it is for, never of what was drawn before.

A resumed run equals an unbroken one, and a larger study contains a smaller one, because every
draw is made by a generator of its own, named by seed and purpose.
"""

import zlib

import numpy as np


def _word(part: str | int) -> int:
    return zlib.crc32(part.encode()) if isinstance(part, str) else int(part)


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Returns the generator that belongs to (seed, purpose).

    Args:
        seed: The study's seed, 0 or larger.
        *purpose: Words and numbers (0 or larger) that name the draw, for instance
            `("gates", step)`.
    """
    return np.random.default_rng([int(seed), *map(_word, purpose)])


def integer_seed(seed: int, *purpose: str | int) -> int:
    """Returns a 31-bit seed that belongs to (seed, purpose), for APIs that take an integer."""
    return int(generator(seed, *purpose).integers(2**31))
