"""Cotangents that would underflow: kept near 1, with their size as a power of two beside them.

Multiplying by a power of two changes no digit, so norms are those of the unscaled computation
wherever that does not underflow.
"""

import math

import numpy as np
from keras import ops

from residual_ensembles import backend

# A residual divides a cotangent by about ten; so many of them stay far from float32's 1e-38.
MODULES_BETWEEN = 8


@backend.compile
def largest(rows):
    """Returns the largest absolute value of each row `(rows, ...)`, as float32 `(rows,)`."""
    flat = ops.reshape(rows, (rows.shape[0], -1))
    return ops.cast(ops.max(ops.abs(flat), axis=1), "float32")


@backend.compile
def multiplied(rows, factors):
    """Returns each row `(rows, ...)` times its factor, `(rows,)`."""
    factors = ops.cast(factors, rows.dtype)
    return rows * ops.reshape(factors, (-1, *[1] * (len(rows.shape) - 1)))


def exponents(sizes) -> np.ndarray:
    """Returns the powers of two that bring sizes to 1..2, as whole numbers; 0 where a size is 0."""
    sizes = np.asarray(sizes, np.float64)
    return np.where(sizes > 0, np.frexp(sizes)[1] - 1, 0)


def factors(exponents: np.ndarray):
    """Returns 2 to these powers, exactly where float32 has them, 0 below."""
    return np.ldexp(1.0, np.clip(exponents, -1000, 127)).astype("float32")


def log10(norms, exponents: np.ndarray) -> np.ndarray:
    """Returns the base-10 logarithm of norms with their powers of two; −inf where a norm is 0."""
    with np.errstate(divide="ignore"):
        return np.log10(np.asarray(norms, np.float64)) + exponents * math.log10(2.0)
