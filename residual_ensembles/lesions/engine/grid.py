"""Partition of images into chunks and of chunks into batches: a function of the sweep alone.

A sweep that is interrupted and resumed has the same grid, and so the same results to the last bit.
"""

import math
from typing import NamedTuple

from residual_ensembles.parameters import LesionParameters

MEMORY_BYTES = LesionParameters().options["memory_bytes"]
"""Default memory for the activations of a sweep."""
BATCH_BYTES = 32 * 2**20
"""Size of the largest batch. Larger ones are no faster on a CPU."""
BATCHES_IN_MEMORY = 64
"""Batches of the largest size that fit the memory: a walk needs room for many of them."""
LARGEST_CHUNK = 1024
"""Images in a chunk, at most. Larger chunks are no faster, and an interruption loses one chunk."""
SMALLEST_BATCH = 8
"""Smallest number of rows in a batch, where few images of a lesion are left."""
MAX_PADDING = 0.25
"""Rows that are added to pad a batch to a larger size, at most, as a share of the rows that it has;
where that takes more, the batch is split."""


class Grid(NamedTuple):
    """The chunks of a sweep, each of all lesions with some images."""

    n_images: int
    chunk: int
    """Images in a chunk; the last one may have fewer."""
    batch_sizes: tuple[int, ...]
    """Rows in a batch, each one image after one lesion, in descending order."""

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

    Then a batch holds one lesion, and nothing is copied from one batch to another. Where images
    fill at most half of a batch, it can hold those of several lesions.
    """
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"Received batch_size={batch_size}, expected 1 or more.")
    rows = memory_bytes // BATCHES_IN_MEMORY // row_bytes
    rows = min(rows, batch_size or max(BATCH_BYTES // row_bytes, 1))
    if rows < 1:
        raise ValueError(
            f"Received a memory bound of {memory_bytes} bytes for activations of {row_bytes} bytes "
            f"an image, expected at least {row_bytes * BATCHES_IN_MEMORY}."
        )
    chunk = math.ceil(n_images / math.ceil(n_images / min(rows, LARGEST_CHUNK)))  # equal
    batch = chunk * 2 ** int(math.log2(rows / chunk))
    sizes = [batch]
    while sizes[-1] > SMALLEST_BATCH:
        sizes.append(math.ceil(sizes[-1] / 2))
    return Grid(n_images, chunk, tuple(sizes))
