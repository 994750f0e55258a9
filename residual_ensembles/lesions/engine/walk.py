"""Walk through a tree of lesions with some images: no step twice, in large batches, bounded memory.

Activations are kept in blocks: tensors whose rows each belong to an image at a node. A step
collects from all blocks the rows that are to take it next, and packs them into batches; its output
is a new block.

A block that fills more than half of a batch does not wait for others: a step that all of its rows
take is taken at once, without copying them, first the one that leads to the fewest lesions, and so
on to the end. Otherwise the smallest depth of the network goes first: lesions that parted meet
again there, and pass the later modules in one batch. When a third of the memory is taken, blocks
that do not grow, since their lesions do not part at the next steps, go on first, still in common
batches. Where all blocks grow, or half of the memory is taken, the walk goes on with the block that
is nearest to its end, and with its step that leads to the fewest lesions, until there is room
again: at most a few blocks then wait for each halving of the lesions. The rest of the memory is
left for the computation itself.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from residual_ensembles import backend
from residual_ensembles.lesions.engine.grid import MAX_PADDING
from residual_ensembles.lesions.engine.tree import Tree
from residual_ensembles.lesions.lesion import Step

_ITEM_BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}


def n_bytes(tensor) -> int:
    """Returns the size of a tensor in memory."""
    return int(np.prod(tensor.shape)) * _ITEM_BYTES[keras.backend.standardize_dtype(tensor.dtype)]


class Pending(NamedTuple):
    """A step still to be taken from a block."""

    lesions: int
    """Number of lesions that it leads to."""
    rows: int
    depth: int
    """Smallest depth in the network at which a row takes it."""


@dataclass(eq=False)
class Block:
    """Activations of some images at some nodes of the tree.

    The tensor, `(batch, ...)`, may have more rows than `nodes` and `images`: those pad the batch.
    """

    tensor: object
    nodes: np.ndarray
    images: np.ndarray
    pending: dict[Step, Pending]
    """Steps still to be taken from here."""
    height: int
    """Steps from here to the farthest end."""

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def grows(self) -> bool:
        """Whether its steps make more rows than it has, because lesions part here."""
        return sum(each.rows for each in self.pending.values()) > len(self)


class Selection(NamedTuple):
    """Those rows of a block that take a step next."""

    block: Block
    rows: np.ndarray
    nodes: np.ndarray
    """The node that the step takes each row to."""


class Walk:
    """One walk through a tree with one set of images.

    Args:
        network: Anything with `stem`, `run(step, y)` and `head`; a `PreparedNetwork`.
        tree: Steps of the lesions, as `network.steps` names them.
        batch_sizes: How many rows a batch can have, in descending order.
        memory_bytes: Memory for the blocks.
        store: Called with (lesion, images, logits) when images have reached the end of a lesion:
            positions, and `(len(images), n_classes)`.
        progress: Called with the number of rows after each batch.
    """

    def __init__(
        self,
        network,
        tree: Tree,
        batch_sizes: tuple[int, ...],
        memory_bytes: int,
        store: Callable[[int, np.ndarray, np.ndarray], None],
        progress: Callable[[int], None] = lambda rows: None,
    ):
        self.network = network
        self.tree = tree
        self.batch_sizes = batch_sizes
        self.memory_bytes = memory_bytes
        self.store = store
        self.progress = progress
        self.blocks: list[Block] = []
        self.live_bytes = 0
        self.peak_bytes = 0
        self.needed: np.ndarray | None = None

    def __call__(self, images: np.ndarray, needed: np.ndarray | None = None) -> None:
        """Takes images to the ends of the tree.

        Args:
            images: `(n_images, height, width, channels)`.
            needed: Booleans `(n_nodes, n_images)`, as `Tree.needed` returns them; None for all.
        """
        self.needed = needed
        start = np.arange(len(images)) if needed is None else np.flatnonzero(needed[0])
        for rows in self._batches(start):
            y = self.network.stem(ops.convert_to_tensor(images[self._padded(rows)]))
            self._add(y, np.zeros(len(rows), int), rows)
        while self.blocks:
            self._take(*self._next())

    def _next(self) -> tuple[Step, list[Block]]:
        """Chooses the step to take next, and the blocks to take it from."""
        if self.live_bytes <= self.memory_bytes / 3:
            return self._large_block() or self._earliest(self.blocks)
        settled = [block for block in self.blocks if not block.grows]
        if settled and self.live_bytes <= self.memory_bytes / 2:
            step, blocks = self._earliest(settled)
            rows = np.cumsum([block.pending[step].rows for block in blocks])
            return step, blocks[: max(1, int(np.searchsorted(rows, self.batch_sizes[0], "right")))]
        block = min(self.blocks, key=lambda b: b.height)
        return min((pending, step) for step, pending in block.pending.items())[1], [block]

    def _large_block(self) -> tuple[Step, list[Block]] | None:
        """Returns the large block that is nearest to its end, and a step that all of it takes."""
        result = [
            (block.height, pending, step, i)
            for i, block in enumerate(self.blocks)
            if self._is_large(block)
            for step, pending in block.pending.items()
            if pending.rows == len(block)
        ]
        if not result:
            return None
        *_, step, i = min(result)
        return step, [self.blocks[i]]

    def _is_large(self, block: Block) -> bool:
        """Whether a block is run alone: joining it with others costs more than it saves."""
        return len(block) > self.batch_sizes[0] // 2

    def _earliest(self, blocks: list[Block]) -> tuple[Step, list[Block]]:
        """Returns the earliest step that some blocks wait for, and which ones do."""
        depths = {(p.depth, step) for block in blocks for step, p in block.pending.items()}
        _, step = min(depths)
        return step, [block for block in blocks if step in block.pending]

    def _take(self, step: Step, blocks: list[Block]) -> None:
        """Takes a step from some blocks: from large ones one by one, from the others packed."""
        parts = []
        for block in blocks:
            selection = self._select(step, block)
            if len(selection.rows) == len(block) and self._is_large(block):
                self._run(step, block.tensor, selection.nodes, block.images)
                self._forget(step, block)
            else:
                parts.append(selection)
        if parts:
            self._run_packed(step, parts)
            for selection in parts:
                self._forget(step, selection.block)

    def _run_packed(self, step: Step, parts: list[Selection]) -> None:
        nodes = np.concatenate([part.nodes for part in parts])
        images = np.concatenate([part.block.images[part.rows] for part in parts])
        source = np.repeat(np.arange(len(parts)), [len(part.rows) for part in parts])
        rows = np.concatenate([part.rows for part in parts])
        for batch in self._batches(np.arange(len(rows))):
            padded = self._padded(batch)
            chunks = [
                backend.take_rows(parts[i].block.tensor, rows[padded[source[padded] == i]])
                for i in np.unique(source[padded])
            ]
            y = chunks[0] if len(chunks) == 1 else ops.concatenate(chunks)
            self._run(step, y, nodes[batch], images[batch])

    def _run(self, step: Step, y, nodes: np.ndarray, images: np.ndarray) -> None:
        output = self.network.run(step, y)
        self.peak_bytes = max(self.peak_bytes, self.live_bytes + n_bytes(y) + n_bytes(output))
        self._add(output, nodes, images)
        self.progress(len(nodes))

    def _add(self, tensor, nodes: np.ndarray, images: np.ndarray) -> None:
        """Stores the logits of lesions that end here, and keeps rows whose lesions go on."""
        reached = np.unique(nodes)
        ends = [node for node in reached if self.tree.lesions[node]]
        if ends:
            logits = ops.convert_to_numpy(self.network.head(tensor))
        for node in ends:
            rows = np.flatnonzero(nodes == node)
            for lesion in self.tree.lesions[node]:
                self.store(lesion, images[rows], logits[rows])
        self._keep(tensor, nodes, images, {s for n in reached for s in self.tree.children[n]})

    def _keep(self, tensor, nodes: np.ndarray, images: np.ndarray, steps: Iterable[Step]) -> None:
        """Keeps a block from which some steps are still to be taken, if there are any."""
        pending = {}
        for step in steps:
            after = self._after(step, nodes, images)
            after = after[after >= 0]
            if len(after):
                reached = np.unique(after)
                n_lesions = int(self.tree.n_ends[reached].sum())
                depth = min(self.tree.depths[node] for node in reached)
                pending[step] = Pending(n_lesions, len(after), depth)
        if pending:
            height = int(self.tree.height[nodes].max())
            self.blocks.append(Block(tensor, nodes, images, pending, height))
            self.live_bytes += n_bytes(tensor)

    def _after(self, step: Step, nodes: np.ndarray, images: np.ndarray) -> np.ndarray:
        """Returns the node that a step leads each row to, -1 where it does not or is not needed."""
        after = self.tree.after(step, nodes)
        if self.needed is not None:
            after[~self.needed[after, images]] = -1
        return after

    def _select(self, step: Step, block: Block) -> Selection:
        after = self._after(step, block.nodes, block.images)
        rows = np.flatnonzero(after >= 0)
        return Selection(block, rows, after[rows])

    def _forget(self, step: Step, block: Block) -> None:
        """Removes a step that was taken, and frees the memory of rows that take no other."""
        del block.pending[step]
        pending_rows = [self._select(other, block).rows for other in block.pending]
        rows = np.unique(np.concatenate(pending_rows)) if pending_rows else np.zeros(0, int)
        if len(rows) > len(block) // 2:
            return
        self.blocks.remove(block)
        self.live_bytes -= n_bytes(block.tensor)
        for batch in self._batches(rows):
            tensor = backend.take_rows(block.tensor, self._padded(batch))
            self._keep(tensor, block.nodes[batch], block.images[batch], block.pending)

    def _batches(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Splits rows into batches that need little padding."""
        while len(rows):
            size = self._size(len(rows))
            yield rows[:size]
            rows = rows[size:]

    def _size(self, n: int) -> int:
        """Returns the size of the next batch of `n` rows."""
        for size in self.batch_sizes:
            if size <= n * (1 + MAX_PADDING):
                return size
        return self.batch_sizes[-1]

    def _padded(self, rows: np.ndarray) -> np.ndarray:
        """Returns rows padded to the size of their batch by repeating the last one."""
        return np.pad(rows, (0, max(0, self._size(len(rows)) - len(rows))), mode="edge")
