"""Many cotangents, as lists: which of them go through a module together differs by module.

Functions of many cotangents are written for rows stacked, `(rows, batch, ...)`, and compiled for
lists: what is stacked is copied, so that large ones go through alone, and small ones together.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from keras import ops

from residual_ensembles import backend

# The most that goes into a compiled function: it costs little to call when it has much to do, and
# long to compile when that is much to write down.
NUMBERS_PER_CALL = 2**23
ROWS_PER_CALL = 256
STACKS_PER_CALL = 8


def in_calls(items: Sequence, row) -> Iterator[Sequence]:
    """Yields parts whose sizes are powers of two, so that few shapes are compiled.

    Args:
        items: Cotangents, or what belongs to them one by one.
        row: One of the cotangents, `(batch, ...)`.
    """
    fits = NUMBERS_PER_CALL // math.prod(row.shape)
    most = max(1, min(fits, ROWS_PER_CALL, STACKS_PER_CALL * _stacked_together(row)))
    first = 0
    while first < len(items):
        size = 1 << (min(most, len(items) - first).bit_length() - 1)
        yield items[first : first + size]
        first += size


def mapped(function: Callable, rows: list, *others: np.ndarray) -> list:
    """Returns what `function` makes of each of a list of cotangents.

    Args:
        function: From a list of cotangents, and a part of each of `others`, to as many.
        rows: The cotangents.
        *others: What belongs to them one by one.
    """
    parts = zip(*(in_calls(x, rows[0]) for x in (rows, *others)), strict=True) if rows else ()
    return [result for some, *own in parts for result in function(some, *own)]


def stacked(function: Callable, rows: list, *others) -> list:
    """Returns what `function` makes of cotangents, inside of a compiled function.

    Args:
        function: From rows `(rows, batch, ...)`, and a part of each of `others`, to as many rows
            `(rows, ...)`.
        rows: The cotangents.
        *others: What belongs to them one by one, `(rows, ...)`.

    Returns:
        A result `(...)` for each cotangent.
    """
    size = _stacked_together(rows[0])
    parts = [slice(first, first + size) for first in range(0, len(rows), size)]
    results = [function(ops.stack(rows[part]), *(x[part] for x in others)) for part in parts]
    return [row for result in results for row in ops.unstack(result)]


def _stacked_together(row) -> int:
    return max(1, backend.NUMBERS_AT_ONCE // math.prod(row.shape))
