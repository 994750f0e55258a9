"""Tree of lesions: steps that lesions share are shared nodes."""

from collections.abc import Hashable, Sequence

import numpy as np


class Tree:
    """A prefix tree of lesions: paths from the root are their steps, and common beginnings are one.

    Nodes are numbered from 0, the root; each stands for the activation of an image after the steps
    that lead to it.

    Args:
        sequences: The steps of each lesion, in order.
        depths: Depth in the network of each of these steps, which is not its index where modules
            are left out; None where the steps are depths themselves.

    Example:
        >>> tree = Tree(["abc", "abd", "ab"])
        >>> tree.n_nodes, tree.lesions[2]
        (5, [2])
    """

    def __init__(
        self,
        sequences: Sequence[Sequence[Hashable]],
        depths: Sequence[Sequence[int]] | None = None,
    ):
        self.children: list[dict[Hashable, int]] = [{}]
        self.lesions: list[list[int]] = [[]]
        """At each node, the lesions that end there."""
        self.depths: list = [None]
        """Smallest depth of the step that leads to a node."""
        parents = [-1]
        orders = zip(sequences, sequences if depths is None else depths, strict=True)
        for lesion, order in enumerate(orders):
            node = 0
            for step, depth in zip(*order, strict=True):
                if step not in self.children[node]:
                    self.children[node][step] = len(parents)
                    parents.append(node)
                    self.depths.append(depth)
                    self.children.append({})
                    self.lesions.append([])
                node = self.children[node][step]
                self.depths[node] = min(self.depths[node], depth)
            self.lesions[node].append(lesion)
        self.parents = np.array(parents)
        self.n_ends = np.array([len(lesions) for lesions in self.lesions])
        """Lesions that end at a node or below it."""
        self.height = np.zeros(self.n_nodes, int)
        """Steps from a node to the farthest end below it."""
        for node in range(self.n_nodes - 1, 0, -1):  # children come after their parents
            parent = parents[node]
            self.n_ends[parent] += self.n_ends[node]
            self.height[parent] = max(self.height[parent], self.height[node] + 1)

        self._edges = self._sorted_edges()

    def _sorted_edges(self) -> dict[Hashable, tuple[np.ndarray, np.ndarray]]:
        """Returns for each step the nodes that it leads from, ascending, and to."""
        edges: dict[Hashable, tuple[list[int], list[int]]] = {}
        for node, children in enumerate(self.children):
            for step, child in children.items():
                before, after = edges.setdefault(step, ([], []))
                before.append(node)
                after.append(child)
        return {step: (np.array(a), np.array(b)) for step, (a, b) in edges.items()}

    def after(self, step: Hashable, nodes: np.ndarray) -> np.ndarray:
        """Returns the child of each of `nodes` by a step, -1 where there is none."""
        before, after = self._edges[step]
        edge = np.minimum(np.searchsorted(before, nodes), len(before) - 1)
        return np.where(before[edge] == nodes, after[edge], -1)

    @property
    def n_nodes(self) -> int:
        """Number of nodes, which is one more than the number of different steps to compute."""
        return len(self.lesions)

    def needed(self, wanted: np.ndarray) -> np.ndarray:
        """Returns which images are needed at which node, booleans `(n_nodes, n_images)`.

        Booleans `(n_lesions, n_images)` say which logits are wanted.
        """
        needed = np.zeros((self.n_nodes, wanted.shape[1]), bool)
        for node in range(self.n_nodes - 1, -1, -1):
            if self.lesions[node]:
                needed[node] |= wanted[self.lesions[node]].any(axis=0)
            if node:
                needed[self.parents[node]] |= needed[node]
        return needed
