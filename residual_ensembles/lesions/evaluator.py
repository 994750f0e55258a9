"""Logits of many lesions, by walks through the tree of what they share."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import psutil

from residual_ensembles.lesions.bearing import check
from residual_ensembles.lesions.grid import grid
from residual_ensembles.lesions.lesion import Step
from residual_ensembles.lesions.prepared_network import PreparedNetwork
from residual_ensembles.lesions.tree import Tree
from residual_ensembles.lesions.walk import Walk

if TYPE_CHECKING:
    from residual_ensembles.lesions.worker import SweepSpec

FLOAT32_BYTES = 4


class Evaluator:
    """A network and lesions of it, prepared for one batch of pictures after another.

    Args:
        spec: The network, the lesions, and how they are cut.

    Raises:
        ValueError: The network cannot bear a lesion, or the memory is too small for it.
    """

    def __init__(self, spec: "SweepSpec"):
        chain = spec.chain
        for lesion in spec.lesions:
            check(lesion, chain)
        self.chain = chain
        self.lesions = list(spec.lesions)
        self.memory_bytes = spec.memory_bytes
        shapes = [*chain.shapes, *(shape for module in chain.modules for shape in module.shapes)]
        row_bytes = FLOAT32_BYTES * max(int(np.prod(shape)) for shape in shapes)
        self.grid = grid(spec.n_pictures, row_bytes, spec.memory_bytes, spec.batch_size)
        self.networks: dict[str, PreparedNetwork] = {}
        self.memory = psutil.Process()
        self.start_bytes = self.memory.memory_info().rss
        self.peak_bytes = 0
        """By how much the process grew, or what the activations took where it had room already."""

    def network(self, precision: str) -> PreparedNetwork:
        """Returns the network prepared for "float32" or "bfloat16"."""
        if precision not in self.networks:
            self.networks[precision] = PreparedNetwork(self.chain, precision)
        return self.networks[precision]

    def steps(self) -> list[tuple[Step, ...]]:
        """Returns what has to be computed for each lesion, in order."""
        network = self.network("float32")
        return [network.steps(lesion) for lesion in self.lesions]

    def logits(
        self,
        pictures: np.ndarray,
        precision: str = "float32",
        wanted: np.ndarray | None = None,
        lesions: Sequence[int] | None = None,
        progress: Callable[[float], None] = lambda share: None,
    ) -> np.ndarray:
        """Returns float32 logits `(n_lesions, n_pictures, n_classes)`.

        Args:
            pictures: `(n_pictures, height, width, channels)`, no more than fit in a piece.
            precision: "float32" or "bfloat16".
            wanted: Booleans `(n_lesions, n_pictures)`: where the answer is needed. None for all.
            lesions: Positions of the lesions to evaluate. None for all.
            progress: Called with the share of the work that was done since the last call.

        Returns:
            NaN where an answer was not wanted.
        """
        chosen = self.lesions if lesions is None else [self.lesions[i] for i in lesions]
        network = self.network(precision)
        ways = [network.way(lesion) for lesion in chosen]
        steps = [[step for _, step in way] for way in ways]
        tree = Tree(steps, [[place for place, _ in way] for way in ways])
        n_classes = self.chain.compute_output_shape((None, *self.chain.picture_shape))[-1]
        logits = np.full((len(chosen), len(pictures), n_classes), np.nan, np.float32)
        needed = None if wanted is None else tree.needed(wanted)
        n_rows = (tree.n_nodes - 1) * len(pictures) if needed is None else int(needed[1:].sum())

        def arrive(lesion, positions, rows):
            logits[lesion, positions] = rows

        def moved(rows):
            self._watch_memory()
            progress(rows / n_rows)

        walk = Walk(network, tree, self.grid.batch_sizes, self.memory_bytes, arrive, moved)
        walk(pictures, needed)
        self.peak_bytes = max(self.peak_bytes, walk.peak_bytes)
        return logits

    def _watch_memory(self) -> None:
        used = self.memory.memory_info().rss - self.start_bytes
        self.peak_bytes = max(self.peak_bytes, used)
