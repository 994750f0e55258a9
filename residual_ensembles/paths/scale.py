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
    """Returns the largest absolute value of each of `rows`, a list or `(rows, ...)`, as float32."""
    return ops.stack([ops.cast(ops.max(ops.abs(row)), "float32") for row in _listed(rows)])


@backend.compile
def multiplied(rows, factors):
    """Returns each of `rows`, a list or `(rows, ...)`, times its factor, `(rows,)`."""
    rows_and_factors = zip(_listed(rows), _listed(factors), strict=True)
    products = [row * ops.cast(factor, row.dtype) for row, factor in rows_and_factors]
    return products if isinstance(rows, list) else ops.stack(products)


@backend.compile
def measures(rows, whole):
    """Returns the norm of each of `rows`, `(rows, ...)`, and its product with `whole`, `(...)`."""
    flat = ops.reshape(rows, (rows.shape[0], -1))
    products = ops.sum(flat * ops.reshape(whole, (1, -1)), axis=1)
    return ops.sqrt(ops.sum(flat * flat, axis=1)), products


@backend.compile
def combined(rows, weights):
    """Returns the sum of `rows`, `(rows, ...)`, with these weights, `(rows,)`."""
    flat = ops.reshape(rows, (rows.shape[0], -1))
    total = ops.matmul(ops.cast(weights, flat.dtype)[None], flat)
    return ops.reshape(total, rows.shape[1:])


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


def _listed(rows) -> list:
    return rows if isinstance(rows, list) else ops.unstack(rows, rows.shape[0])
