"""How pictures are cut to pieces, and pieces to batches: a function of the plan alone.

A sweep that is cut off and goes on has the same grid, and with it the same results to the last bit.
"""

import math
from typing import NamedTuple

MEMORY_BYTES = 2 * 2**30
"""What the activations of a sweep may take where nothing else is said."""
BATCH_BYTES = 32 * 2**20
"""Size of the largest batch between two modules. More is no faster on a CPU."""
MEMORY_SHARE = 64
"""A batch takes no more than this part of the memory: a walk needs room for many of them."""
SMALLEST_PIECE = 64
"""Pictures in a piece, if there is memory for them: fewer would be slow where nothing is shared."""
BATCHES_IN_PIECE = 32
"""Batches that all lesions of a piece fill, where the smallest piece is not larger."""
SMALLEST_BATCH = 8
"""Rows in a batch, where few pictures are left of a lesion."""
FILL = 0.25
"""By this share of its rows a batch may be filled up to a larger size; else it is cut."""


class Grid(NamedTuple):
    """The pieces of a sweep, each of all lesions with some pictures."""

    n_pictures: int
    piece: int
    """Pictures in a piece; the last one may have fewer."""
    batch_sizes: tuple[int, ...]
    """How many activations pass a module together, in descending order."""

    def pieces(self) -> list[slice]:
        """Returns the pictures of each piece."""
        return [
            slice(i, min(i + self.piece, self.n_pictures))
            for i in range(0, self.n_pictures, self.piece)
        ]


def grid(
    n_pictures: int,
    n_lesions: int,
    row_bytes: int,
    memory_bytes: int = MEMORY_BYTES,
    batch_size: int | None = None,
) -> Grid:
    """Returns a grid whose pieces are small where there are many lesions, and its batches large.

    Args:
        n_pictures: Pictures of the sweep.
        n_lesions: Lesions of the sweep.
        row_bytes: Size of the largest activation of one picture.
        memory_bytes: What all activations may take.
        batch_size: How many activations may pass a module together; None for as many as are fast.

    Raises:
        ValueError: The memory does not even hold single pictures, or the batch is empty.
    """
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"Received batch_size={batch_size}, expected 1 or more.")
    rows = memory_bytes // MEMORY_SHARE // row_bytes
    rows = min(rows, batch_size or max(BATCH_BYTES // row_bytes, 1))
    if rows < 1:
        raise ValueError(
            f"Received a memory bound of {memory_bytes} bytes for activations of {row_bytes} bytes "
            f"a picture, expected at least {row_bytes * MEMORY_SHARE}."
        )
    piece = rows
    while piece // 2 >= max(SMALLEST_PIECE, BATCHES_IN_PIECE * rows // n_lesions):
        piece //= 2
    piece = math.ceil(n_pictures / math.ceil(n_pictures / piece))  # all of one size
    batch = piece * 2 ** int(math.log2(rows / piece))
    sizes = [batch]
    while sizes[-1] > SMALLEST_BATCH:
        sizes.append(math.ceil(sizes[-1] / 2))
    return Grid(n_pictures, piece, tuple(sizes))
