"""Many cotangents: stacked to go through a compiled function, apart in between.

A path, or a length, is an item of a list; which of them go through a module together differs from
one module to the next.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from residual_ensembles import backend

# Numbers in the cotangents that go through a compiled function together, which keep the cores busy,
# and the most cotangents.
NUMBERS_PER_CALL = 2**23
ROWS_PER_CALL = 256


def in_calls(items: Sequence, row) -> Iterator[Sequence]:
    """Yields parts whose sizes are powers of two, so that few shapes are compiled.

    Args:
        items: Cotangents, or what belongs to them one by one.
        row: One of the cotangents, `(batch, ...)`.
    """
    most = max(1, min(ROWS_PER_CALL, NUMBERS_PER_CALL // math.prod(row.shape)))
    first = 0
    while first < len(items):
        size = 1 << (min(most, len(items) - first).bit_length() - 1)
        yield items[first : first + size]
        first += size


def mapped(function: Callable, rows: list, *others: np.ndarray) -> list:
    """Returns what `function` makes of each of a list of cotangents.

    Args:
        function: From rows `(rows, batch, ...)`, and a part of each of `others`, to as many rows.
        rows: The cotangents.
        *others: What belongs to them one by one.
    """
    found = []
    for some, *own in zip(*(in_calls(x, rows[0]) for x in (rows, *others)), strict=True):
        found += backend.unstack(function(backend.stack(some), *own))
    return found


def measured(function: Callable, rows: list) -> np.ndarray:
    """Returns a number for each of a list of cotangents.

    Args:
        function: From rows `(rows, batch, ...)` to numbers `(rows,)`.
        rows: The cotangents.
    """
    parts = [function(backend.stack(some)) for some in in_calls(rows, rows[0])]
    return np.concatenate([np.asarray(part) for part in parts])
