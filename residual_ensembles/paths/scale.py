"""Cotangents that would underflow: kept in range, with a power of two beside them.

Multiplying by a power of two changes no digit, so norms are those of the unscaled computation
wherever that does not underflow.
"""

import math
from collections.abc import Iterator

import numpy as np
from keras import ops

from residual_ensembles import backend

# A residual divides a cotangent by about ten; after so many of them it is still far from 0.
MODULES_BETWEEN = 8
# Most cotangents that one compiled function takes.
ROWS_PER_CALL = 16


def in_calls(rows: list) -> Iterator[list]:
    """Yields parts of `rows` whose sizes are powers of two, so that few shapes are compiled."""
    first = 0
    while first < len(rows):
        size = 1 << (min(ROWS_PER_CALL, len(rows) - first).bit_length() - 1)
        yield rows[first : first + size]
        first += size


@backend.compile
def largest(rows: list):
    """Returns the largest absolute value of each row, as float32 `(rows,)`."""
    return ops.stack([ops.cast(ops.max(ops.abs(row)), "float32") for row in rows])


@backend.compile
def multiplied(rows: list, factors) -> list:
    """Returns each row times its factor, `(rows,)`."""
    rows_and_factors = zip(rows, ops.unstack(factors, len(rows)), strict=True)
    return [row * ops.cast(factor, row.dtype) for row, factor in rows_and_factors]


@backend.compile
def measures(rows: list, whole):
    """Returns the norm of each row, and its product with `whole`, `(rows,)` each."""
    squares = ops.stack([ops.sum(row * row) for row in rows])
    return ops.sqrt(squares), ops.stack([ops.sum(row * whole) for row in rows])


def exponents(sizes) -> np.ndarray:
    """Returns the powers of two that sizes are near, as whole numbers; 0 where a size is 0."""
    sizes = np.asarray(sizes, np.float64)
    # As far as float32 has the inverse, too.
    return np.where(sizes > 0, np.clip(np.frexp(sizes)[1] - 1, -126, 126), 0)


def factors(exponents: np.ndarray) -> np.ndarray:
    """Returns 2 to these powers, exactly where float32 has them, 0 below."""
    return np.ldexp(1.0, np.minimum(exponents, 127)).astype("float32")


def log10(norms, exponents: np.ndarray) -> np.ndarray:
    """Returns the base-10 logarithm of norms with their powers of two; −inf where a norm is 0."""
    with np.errstate(divide="ignore"):
        return np.log10(np.asarray(norms, np.float64)) + exponents * math.log10(2.0)


def near_one(rows: list) -> tuple[list, np.ndarray]:
    """Returns each row divided by the power of two that brings it near 1, and these powers."""
    scaled, shifts = [], []
    for some in in_calls(rows):
        shifts.append(exponents(largest(some)))
        scaled += multiplied(some, factors(-shifts[-1]))
    return scaled, np.concatenate(shifts)
