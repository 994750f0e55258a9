"""Walks a tree of lesions with a few pictures: nothing twice, in large batches, in bounded memory.

What is computed lies in blocks: one tensor whose rows are (node, picture). A step takes from the
blocks those rows that it is the next one for, packs them to a batch, and makes a new block.

As long as there is memory, the earliest module in the network's order goes first: lesions that have
left each other's way meet again there and pass the later modules together. When half of the memory
is taken, the walk turns to the block that is nearest to its end, and there to the step that leads to
the fewest lesions, until enough is free again; what waits then is at most a few blocks for each
halving of the lesions.
"""

from dataclasses import dataclass, field

import numpy as np

from residual_ensembles.lesions.lesion import Step


@dataclass(eq=False)
class Block:
    """What some pictures have become at some nodes."""

    tensor: object
    """`(rows or more, ...)`: rows beyond those counted here are there to fill a batch."""
    nodes: np.ndarray
    """Node of each row."""
    pictures: np.ndarray
    """Picture of each row."""
    pending: dict[Step, int] = field(default_factory=dict)
    """The steps that are still to be taken from here, each with the number of lesions it leads to."""
    height: int = 0
    """Steps to the farthest end."""

    @property
    def n_bytes(self) -> int:
        """Size of the tensor in memory."""
        return int(np.prod(self.tensor.shape)) * self.tensor.dtype.itemsize_or_size


class Walk:
    pass
