"""Partition of a graph into stem, modules, segments and head, and the tensors that they carry."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from residual_ensembles.unraveling.additions import Candidate
from residual_ensembles.unraveling.graph import Graph, Node


def longest_chain(
    candidates: Sequence[Candidate], forced: frozenset[str], ancestors: list[int]
) -> list[Candidate]:
    """Returns the longest chain of candidates that follow one another.

    Of several, it is the one that holds most of the graph: the rest has to be carried along. A
    ValueError is raised where candidates whose names are `forced` do not follow one another.
    """
    ordered = sorted(candidates, key=lambda c: ancestors[c.output].bit_count())
    best: list[tuple[tuple[int, ...], int | None]] = []
    for i, candidate in enumerate(ordered):
        before = [j for j in range(i) if follows(ordered[j], candidate, ancestors)]
        last = max(before, key=lambda j: best[j][0], default=None)
        so_far: tuple[int, ...] = (0, 0, 0) if last is None else best[last][0]
        own = (int(candidate.name in forced), 1, len(candidate.inner))
        best.append((tuple(a + b for a, b in zip(so_far, own, strict=True)), last))
    last = max(range(len(ordered)), key=lambda i: best[i][0], default=None)
    chain: list[Candidate] = []
    while last is not None:
        chain.insert(0, ordered[last])
        last = best[last][1]
    left_out = sorted(forced - {c.name for c in chain})
    if left_out:
        raise ValueError(
            f"Received {left_out[0]} as the end of a module, but it does not follow or precede "
            f"{chain[0].name}{' and others' if len(chain) > 1 else ''}: modules of a chain stand "
            "one after another. Leave one of them out."
        )
    return chain


def follows(first: Candidate, second: Candidate, ancestors: list[int]) -> bool:
    """Whether the input of the second module depends on the output of the first."""
    return bool(ancestors[second.entry] >> first.output & 1)


@dataclass(frozen=True)
class Layout:
    """The tensors between two parts of a chain: the stream, and others that are carried along."""

    stream: int
    carried: tuple[int, ...]


class Partition:
    """A graph as stem, modules, segments between them, and head.

    Nodes outside of modules are computed as early as possible, so that lesions share them.
    """

    def __init__(self, graph: Graph, modules: Sequence[Candidate]):
        self.graph = graph
        self.modules = list(modules)
        self._known_at = self._positions()
        self.input_layouts = self._layouts()
        """Layout of the input of each module."""
        self.output_layouts = [
            Layout(module.output, layout.carried)
            for module, layout in zip(self.modules, self.input_layouts, strict=True)
        ]
        """Layout of the output of each module."""

    @cached_property
    def _inside(self) -> dict[int, int]:
        """Position from 1 of the module that each tensor is within."""
        return {t: i for i, module in enumerate(self.modules, start=1) for t in module.inner}

    @cached_property
    def nodes(self) -> list[Node]:
        """Nodes that the output needs."""
        ancestors, needed = self.graph.ancestors(), 0
        for tensor in self.graph.outputs:
            needed |= ancestors[tensor]
        return [n for n in self.graph.nodes if any(needed >> t & 1 for t in n.outputs)]

    def _positions(self) -> dict[int, int]:
        """Returns the position at which each tensor is computed: 0, the stem, or 2i, segment i.

        Tensors within module i are known only there, at 2i − 1.
        """
        positions = dict.fromkeys(self.graph.inputs, 0)
        ends = {module.output: 2 * i for i, module in enumerate(self.modules, start=1)}
        for node in self.nodes:
            position = max((positions[t] for t in node.inputs), default=0)
            for tensor in node.outputs:
                inside = self._inside.get(tensor)
                known = position if inside is None else 2 * inside - 1
                positions[tensor] = ends.get(tensor, known)
        return positions

    def _uses(self) -> dict[int, list[int]]:
        """Returns the positions at which each tensor is needed; the head's is the last."""
        last = 2 * len(self.modules)
        uses: dict[int, list[int]] = {t: [] for t in self._known_at}
        for node in self.nodes:
            inside = [self._inside[t] for t in node.outputs if t in self._inside]
            position = max((self._known_at[t] for t in node.inputs), default=0)
            position = 2 * inside[0] - 1 if inside else position
            for tensor in set(node.inputs):
                uses[tensor].append(position)
        for tensor in self.graph.outputs:
            uses[tensor].append(last + 1)
        for i, module in enumerate(self.modules):
            uses[module.entry].append(2 * i)  # the segment before a module returns its input
        return uses

    def _layouts(self) -> list[Layout]:
        uses = self._uses()
        layouts: list[Layout] = []
        for i, module in enumerate(self.modules, start=1):
            known = 2 * (i - 1)
            carried = []
            for tensor, position in self._known_at.items():
                later = [use for use in uses[tensor] if use > known]
                if tensor == module.entry:  # the module itself has it
                    later = [use for use in later if use > 2 * i - 1]
                if position <= known and position % 2 == 0 and later:
                    carried.append(tensor)
            layout = Layout(module.entry, tuple(sorted(carried)))
            layouts.append(self._unchanged(layout, layouts, i))
        return layouts

    def _unchanged(self, layout: Layout, layouts: list[Layout], i: int) -> Layout:
        """Carries the same tensors as to the module before, where nothing is computed in between.

        Modules of equal layouts can change places.
        """
        if not layouts:
            return layout
        before = layouts[-1].carried
        idle = self.modules[i - 2].output == layout.stream
        return Layout(layout.stream, before) if idle and {*layout.carried} <= {*before} else layout

    def has_segment(self, i: int) -> bool:
        """Whether something is computed between module i and the next one."""
        return self.output_layouts[i - 1] != self.input_layouts[i]
