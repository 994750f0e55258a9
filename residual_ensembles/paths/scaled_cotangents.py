"""Cotangents that would underflow: kept in range, with a power of two beside them.

Rows are cotangents, `(batch, ...)` each.

Multiplying by a power of two changes no digit, so norms are those of the unscaled computation
wherever that does not underflow.
"""

import math

import numpy as np
from keras import ops

from residual_ensembles import backend
from residual_ensembles.paths.rows import stacked

# A residual divides a cotangent by about ten, and hardly ever by a million; after so many of them a
# cotangent is still far from what float32 takes for 0.
PRODUCTS_BETWEEN = 5


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
    """Returns the powers of two that sizes are near, as integers; 0 where a size is 0."""
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
    shifts = exponents(largest(rows))
    return multiplied(rows, factors(-shifts)), shifts


class FullGradient:
    """The full gradient, which parts are projected on.

    Args:
        gradient: The ordinary gradient, `(batch, ...)`.
    """

    def __init__(self, gradient):
        [self.row], [self.exponent] = near_one([gradient])
        self.norm = float(norms([self.row])[0])

    @property
    def log10_norm(self) -> float:
        """Base-10 logarithm of its norm."""
        return float(log10(self.norm, self.exponent))

    def shares(self, rows: list, exponents: np.ndarray, tangent=None) -> np.ndarray:
        """Returns ⟨row, G⟩ / ‖G‖² of rows with their powers of two; NaN where G is 0.

        Args:
            rows: Cotangents, `(batch, ...)` each.
            exponents: Their powers of two, `(rows,)`.
            tangent: What `self.row` has become, where the rows have not arrived yet.
        """
        along = products(rows, self.row if tangent is None else tangent)
        along = np.asarray(along, np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.ldexp(along, exponents - self.exponent) / np.float64(self.norm) ** 2
