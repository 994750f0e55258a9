"""Partition of images into chunks and of chunks into batches: a function of the sweep alone.

A sweep that is interrupted and resumed has the same grid, and so the same results to the last bit.
"""

import math
from typing import NamedTuple

from residual_ensembles.parameters import LesionParameters

MEMORY_BYTES = LesionParameters().options["memory_bytes"]
"""Default bound of the memory of a sweep's activations."""
BATCH_BYTES = 32 * 2**20
"""Size of the largest batch between two modules. More is no faster on a CPU."""
MEMORY_SHARE = 64
"""A batch takes no more than this part of the memory: a walk needs room for many of them."""
LARGEST_CHUNK = 1024
"""Images in a chunk. More are no faster either, and a chunk is what an interruption loses."""
SMALLEST_BATCH = 8
"""Rows in a batch, where few images are left of a lesion."""
FILL = 0.25
"""By this share of its rows a batch may be filled up to a larger size; else it is split."""


class Grid(NamedTuple):
    """The chunks of a sweep, each of all lesions with some images."""

    n_images: int
    chunk: int
    """Images in a chunk; the last one may have fewer."""
    batch_sizes: tuple[int, ...]
    """How many activations pass a module at once, in descending order."""

    def chunks(self) -> list[slice]:
        """Returns the images of each chunk."""
        return [
            slice(i, min(i + self.chunk, self.n_images))
            for i in range(0, self.n_images, self.chunk)
        ]


def grid(
    n_images: int,
    row_bytes: int,
    memory_bytes: int = MEMORY_BYTES,
    batch_size: int | None = None,
) -> Grid:
    """Returns a grid whose chunks fill a batch, if there are enough images.

    Then each lesion passes a module by itself, and nothing has to be copied from one batch to
    another. Where images fill at most half of a batch, it can hold those of several lesions.
    """
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"Received batch_size={batch_size}, expected 1 or more.")
    rows = memory_bytes // MEMORY_SHARE // row_bytes
    rows = min(rows, batch_size or max(BATCH_BYTES // row_bytes, 1))
    if rows < 1:
        raise ValueError(
            f"Received a memory bound of {memory_bytes} bytes for activations of {row_bytes} bytes "
            f"an image, expected at least {row_bytes * MEMORY_SHARE}."
        )
    chunk = math.ceil(n_images / math.ceil(n_images / min(rows, LARGEST_CHUNK)))  # equal
    batch = chunk * 2 ** int(math.log2(rows / chunk))
    sizes = [batch]
    while sizes[-1] > SMALLEST_BATCH:
        sizes.append(math.ceil(sizes[-1] / 2))
    return Grid(n_images, chunk, tuple(sizes))
