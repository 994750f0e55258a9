"""Lists of cotangents: batches of them in compiled functions, and powers of two against underflow.

A row is one cotangent, `(batch, ...)`. Functions are written for stacked rows `(rows, batch, ...)`
and compiled for lists of rows: stacking copies, so that large rows are computed alone and small
ones together.

A row may stand for itself times a power of two, its exponent. Multiplying by a power of two changes
no digit, so norms equal those of the unscaled computation wherever that does not underflow.
"""

import math
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from keras import ops

from residual_ensembles import backend

Rows = TypeVar("Rows", list, np.ndarray)

# Limits of one call of a compiled function: large calls have little overhead, and take long to
# compile.
NUMBERS_PER_CALL = 2**23
ROWS_PER_CALL = 256
STACKS_PER_CALL = 8
# A residual divides a cotangent by about ten, and hardly ever by a million: after so many products
# float32 is still far from underflow.
PRODUCTS_PER_RESCALING = 5


def in_calls(items: Rows, row) -> Iterator[Rows]:
    """Yields slices whose sizes are powers of two, so that few shapes are compiled.

    Items are rows, or one value for each; `row` is one of the rows.
    """
    fits = NUMBERS_PER_CALL // math.prod(row.shape)
    largest_size = max(1, min(fits, ROWS_PER_CALL, STACKS_PER_CALL * _rows_per_stack(row)))
    first = 0
    while first < len(items):
        size = 1 << (min(largest_size, len(items) - first).bit_length() - 1)
        yield items[first : first + size]
        first += size


def mapped(function: Callable, rows: list, *others: np.ndarray) -> list:
    """Applies a compiled function of lists to any number of rows, in several calls.

    The function gets slices of the rows and of each of `others`, `(rows,)`.
    """
    if not rows:
        return []
    values = (in_calls(each, rows[0]) for each in others)
    parts = zip(in_calls(rows, rows[0]), *values, strict=True)
    return [result for some, *own in parts for result in function(some, *own)]


def stacked(function: Callable, rows: list, *others) -> list:
    """Applies a function of stacked rows to a list of rows, inside of a compiled function.

    The function gets `(rows, batch, ...)` and slices of each of `others`, `(rows, ...)`.
    """
    size = _rows_per_stack(rows[0])
    parts = [slice(first, first + size) for first in range(0, len(rows), size)]
    results = [function(ops.stack(rows[part]), *(x[part] for x in others)) for part in parts]
    return [row for result in results for row in ops.unstack(result)]


def _rows_per_stack(row) -> int:
    return max(1, backend.NUMBERS_AT_ONCE // math.prod(row.shape))


@backend.compile
def largest(rows: list):
    """Returns the largest absolute value of each row, as float32 `(rows,)`."""
    return ops.cast(
        ops.stack(stacked(lambda some: ops.max(ops.abs(_flat(some)), 1), rows)), "float32"
    )


@backend.compile
def multiplied(rows: list, factors) -> list:
    """Returns each row times its factor, `(rows,)`."""
    return stacked(_multiplied, rows, factors)


@backend.compile
def norms(rows: list):
    """Returns the norm of each row, `(rows,)`."""
    return ops.sqrt(ops.stack(stacked(lambda some: ops.sum(ops.square(_flat(some)), 1), rows)))


@backend.compile
def products(rows: list, full):
    """Returns the product of each row with `full`, `(...)`, as `(rows,)`."""
    full = ops.reshape(full, (1, -1))
    return ops.stack(stacked(lambda some: ops.sum(_flat(some) * full, 1), rows))


@backend.compile
def total(rows: list, factors):
    """Returns the sum of all rows, each times its factor, `(...)`."""
    first, *others = stacked(_multiplied, rows, factors)
    return sum(others, first)


def _flat(rows):
    return ops.reshape(rows, (rows.shape[0], -1))


def _multiplied(rows, factors):
    return ops.reshape(_flat(rows) * ops.cast(factors, rows.dtype)[:, None], rows.shape)


def exponents(sizes) -> np.ndarray:
    """Returns the exponent of two of each size, rounded down; 0 for a size of 0."""
    sizes = np.asarray(sizes, np.float64)
    # Limited to those whose inverse float32 has too.
    return np.where(sizes > 0, np.clip(np.frexp(sizes)[1] - 1, -126, 126), 0)


def factors(exponents: np.ndarray) -> np.ndarray:
    """Returns 2 to the power of `exponents`, exact in the range of float32, 0 below it."""
    return np.ldexp(1.0, np.minimum(exponents, 127)).astype("float32")


def log10(norms, exponents: np.ndarray) -> np.ndarray:
    """Returns the base-10 logarithm of norms times powers of two; −inf where a norm is 0."""
    with np.errstate(divide="ignore"):
        return np.log10(np.asarray(norms, np.float64)) + exponents * math.log10(2.0)


def near_one(rows: list) -> tuple[list, np.ndarray]:
    """Returns rows divided by powers of two so that they are near 1, and the exponents."""
    shifts = exponents(largest(rows))
    return multiplied(rows, factors(-shifts)), shifts


class FullGradient:
    """The full gradient G, which rows are projected on."""

    def __init__(self, gradient):
        [self.row], [self.exponent] = near_one([gradient])
        self.norm = float(norms([self.row])[0])

    @property
    def log10_norm(self) -> float:
        """Base-10 logarithm of its norm."""
        return float(log10(self.norm, self.exponent))

    def shares(self, rows: list, exponents: np.ndarray, tangent=None) -> np.ndarray:
        """Returns ⟨row, G⟩ / ‖G‖² of each row; NaN where G is 0.

        Args:
            rows: Rows, `(batch, ...)` each.
            exponents: Their exponents, `(rows,)`.
            tangent: Forward image of `self.row` at the module that the rows have reached; None for
                rows at y_0.
        """
        along = products(rows, self.row if tangent is None else tangent)
        along = np.asarray(along, np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.ldexp(along, exponents - self.exponent) / np.float64(self.norm) ** 2
