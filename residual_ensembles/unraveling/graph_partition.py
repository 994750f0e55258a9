"""Partition of a graph into modules, the segments between them, and the tensors carried along."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from residual_ensembles.unraveling.additions import Candidate
from residual_ensembles.unraveling.graph import Graph, Node


def longest_chain(
    candidates: Sequence[Candidate], forced: frozenset[str], ancestors: list[int]
) -> list[Candidate]:
    """Returns the most modules that follow one another.

    Of as many, those that hold more of the graph: what is left over has to travel along.

    Args:
        candidates: What can be a module.
        forced: Names of those that have to be among them.
        ancestors: For each tensor those that it depends on, as bits.

    Raises:
        ValueError: Two of those that have to be there do not follow one another.
    """
    ordered = sorted(candidates, key=lambda c: ancestors[c.leaves].bit_count())
    best: list[tuple[tuple[int, int, int], int | None]] = []
    for i, candidate in enumerate(ordered):
        before = [j for j in range(i) if follows(ordered[j], candidate, ancestors)]
        last = max(before, key=lambda j: best[j][0], default=None)
        so_far = (0, 0, 0) if last is None else best[last][0]
        own = (int(candidate.name in forced), 1, len(candidate.inner))
        best.append((tuple(a + b for a, b in zip(so_far, own, strict=True)), last))
    place = max(range(len(ordered)), key=lambda i: best[i][0], default=None)
    chain = []
    while place is not None:
        chain.append(ordered[place])
        place = best[place][1]
    chain = chain[::-1]
    left_out = sorted(forced - {c.name for c in chain})
    if left_out:
        raise ValueError(
            f"Received {left_out[0]} as the end of a module, but it does not follow or precede "
            f"{chain[0].name}{' and others' if len(chain) > 1 else ''}: modules of a chain stand "
            "one after another. Leave one of them out."
        )
    return chain


def follows(first: Candidate, second: Candidate, ancestors: list[int]) -> bool:
    """Whether what enters the second module depends on what leaves the first."""
    return bool(ancestors[second.entry] >> first.leaves & 1)


@dataclass(frozen=True)
class Layout:
    """What passes a place of a chain: one tensor, and others that are carried along."""

    stream: int
    carried: tuple[int, ...]


class Cut:
    """A graph as stem, modules, segments between them, and head.

    What does not belong to a module is computed as soon as it can be, so that lesions share it.

    Args:
        graph: The graph.
        modules: Its modules, in order.
    """

    def __init__(self, graph: Graph, modules: Sequence[Candidate]):
        self.graph = graph
        self.modules = list(modules)
        self._known_at = self._places()
        self.entering = self._layouts()
        """What enters each module."""
        self.leaving = [
            Layout(module.leaves, layout.carried)
            for module, layout in zip(self.modules, self.entering, strict=True)
        ]
        """What leaves each module."""

    @cached_property
    def _inside(self) -> dict[int, int]:
        """For each tensor within a module, the module's position from 1."""
        return {t: i for i, module in enumerate(self.modules, start=1) for t in module.inner}

    @cached_property
    def nodes(self) -> list[Node]:
        """Nodes that the output needs."""
        ancestors, needed = self.graph.ancestors(), 0
        for tensor in self.graph.outputs:
            needed |= ancestors[tensor]
        return [n for n in self.graph.nodes if any(needed >> t & 1 for t in n.outputs)]

    def _places(self) -> dict[int, int]:
        """Returns where each tensor is known: from 0, the stem, or 2i, the segment i.

        What is within a module i is known there only, at 2i − 1.
        """
        places = dict.fromkeys(self.graph.inputs, 0)
        ends = {module.leaves: 2 * i for i, module in enumerate(self.modules, start=1)}
        for node in self.nodes:
            place = max((places[t] for t in node.inputs), default=0)
            for tensor in node.outputs:
                inside = self._inside.get(tensor)
                places[tensor] = place if inside is None else 2 * inside - 1
                places[tensor] = ends.get(tensor, places[tensor])
        return places

    def _uses(self) -> dict[int, list[int]]:
        """Returns the places at which each tensor is needed; the head's is the last."""
        last = 2 * len(self.modules)
        uses: dict[int, list[int]] = {t: [] for t in self._known_at}
        for node in self.nodes:
            inside = [self._inside[t] for t in node.outputs if t in self._inside]
            place = max((self._known_at[t] for t in node.inputs), default=0)
            place = 2 * inside[0] - 1 if inside else place
            for tensor in set(node.inputs):
                uses[tensor].append(place)
        for tensor in self.graph.outputs:
            uses[tensor].append(last + 1)
        for i, module in enumerate(self.modules):
            uses[module.entry].append(2 * i)  # the segment before a module hands over what enters
        return uses

    def _layouts(self) -> list[Layout]:
        uses = self._uses()
        layouts: list[Layout] = []
        for i, module in enumerate(self.modules, start=1):
            known = 2 * (i - 1)
            carried = []
            for tensor, place in self._known_at.items():
                later = [use for use in uses[tensor] if use > known]
                if tensor == module.entry:  # the module itself has it
                    later = [use for use in later if use > 2 * i - 1]
                if place <= known and place % 2 == 0 and later:
                    carried.append(tensor)
            layout = Layout(module.entry, tuple(sorted(carried)))
            layouts.append(self._unchanged(layout, layouts, i))
        return layouts

    def _unchanged(self, layout: Layout, layouts: list[Layout], i: int) -> Layout:
        """Keeps what traveled to the module before, where nothing has to be done in between.

        Modules of equal layouts can change places.
        """
        if not layouts:
            return layout
        before = layouts[-1].carried
        idle = self.modules[i - 2].leaves == layout.stream
        return Layout(layout.stream, before) if idle and {*layout.carried} <= {*before} else layout

    def has_segment(self, i: int) -> bool:
        """Whether something has to be done between module i and the next one."""
        return self.leaving[i - 1] != self.entering[i]
