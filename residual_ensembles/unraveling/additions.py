"""Where a branch is added back: the places at which a graph can be cut."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from residual_ensembles.unraveling.graph import Graph, Node, Ref, members
from residual_ensembles.unraveling.sums import (
    Scaled,
    is_activation,
    is_addition,
    is_linear,
    is_plain_sum,
)


@dataclass(frozen=True)
class Candidate:
    """A part of the graph that can be a module: from one tensor to another."""

    name: str
    entry: int
    """What enters."""
    skip: int | None
    """What goes around the residual, before the sum; None where there is one path only."""
    residuals: tuple[int, ...]
    """What is added to it; the output itself where there is no skip."""
    total: int
    """The sum."""
    leaves: int
    """What leaves: the sum, or what its activation makes of it."""
    inner: frozenset[int]
    """Tensors between `entry` and `leaves`, `leaves` among them."""
    note: str = ""
    """Which of two readings this is."""


@dataclass
class Found:
    """What there is in a graph."""

    candidates: list[Candidate] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """Additions that are no module, by name, and why not."""


class Additions:
    """Looks for modules in a graph.

    Args:
        graph: The graph; nodes that take a sum apart are added to it.
        shapes: Shape of each tensor, without batch; None for one that has no batch.
    """

    def __init__(self, graph: Graph, shapes: list):
        self.graph = graph
        self.shapes = shapes
        self.nodes = [node for node in graph.nodes if is_addition(node)]
        self.consumers = graph.consumers()
        self.terms = {node.outputs[0]: self._terms(node) for node in self.nodes}
        self.ancestors = graph.ancestors()  # of what `_terms` added, too

    def find(self) -> Found:
        """Returns all candidates, and why other additions are none."""
        found = Found()
        for node in self.nodes:
            try:
                found.candidates.append(self.candidate(node))
            except ValueError as error:
                found.refused[node.name] = str(error)
        return found

    def candidate(self, node: Node, entry: int | None = None, skip: int | None = None) -> Candidate:
        """Returns the module that ends in an addition.

        Args:
            node: The addition.
            entry: What enters the module; None for the last tensor that all branches come from.
            skip: What goes around the residual; None for what looks like it.

        Raises:
            ValueError: There is none, with the reason.
        """
        total = node.outputs[0]
        terms = self._flat_terms(total)
        given = entry is not None
        entry = self._entry(terms) if entry is None else entry
        self._check_entry(entry, terms)
        if skip is None:
            skip, note = self._skip(entry, terms, total, strict=not given)
        else:
            note = ""
            if skip not in terms:
                raise ValueError(f"{self.graph.name_of(skip)} is none of what is added")
        residuals = tuple(term for term in terms if term != skip)
        if len(residuals) != len(terms) - 1:
            raise ValueError("something is added to itself")
        leaves = self._activated(total)
        inner = self.between(entry, leaves)
        self._check_closed(inner, leaves)
        return Candidate(node.name, entry, skip, residuals, total, leaves, inner, note)

    def layer(self, node: Node) -> Candidate:
        """Returns the module that a layer is by itself.

        Raises:
            ValueError: It does not keep the shape of what passes through, with both shapes.
        """
        entry = node.first
        if entry is None or len(node.outputs) != 1:
            raise ValueError("it does not turn one tensor into one")
        leaves = node.outputs[0]
        before, after = self.shapes[entry], self.shapes[leaves]
        if before is None:
            raise ValueError("what it takes has no batch")
        if before != after or self.graph.dtypes[entry] != self.graph.dtypes[leaves]:
            raise ValueError(f"it changes the shape of what passes through, {before} to {after}")
        # What else it takes is made before it and travels along, even where that comes from what
        # enters: another module may need it too.
        inner = frozenset([leaves])
        return Candidate(node.name, entry, None, (leaves,), leaves, leaves, inner)

    def between(self, entry: int, leaves: int) -> frozenset[int]:
        """Returns the tensors that depend on `entry` and that `leaves` depends on."""
        above = self.ancestors[leaves] & ~(1 << entry)
        return frozenset(t for t in members(above) if self.ancestors[t] >> entry & 1)

    def _terms(self, node: Node) -> list[int]:
        """Returns what a node adds, one tensor each."""
        if is_plain_sum(node):
            return node.inputs
        first, second = node.inputs
        arguments = ((Ref(first), Ref(second)), {})
        residual = Scaled(node)
        dtypes = [self.graph.dtypes[node.outputs[0]]]
        added = self.graph.add(residual, arguments, dtypes, residual.name).outputs[0]
        self.shapes.append(self.shapes[node.outputs[0]])
        return [first, added]

    def _flat_terms(self, total: int) -> list[int]:
        """Returns what is added, sums within taken apart where nothing else needs them."""
        found = []
        for term in self.terms[total]:
            whole = term in self.terms and len(self.consumers[term]) == 1
            found += self._flat_terms(term) if whole else [term]
        return found

    def _entry(self, terms: list[int]) -> int:
        common = self.ancestors[terms[0]]
        for term in terms[1:]:
            common &= self.ancestors[term]
        found = list(members(common))
        last = [t for t in found if not any(self.ancestors[u] >> t & 1 for u in found if u != t)]
        if len(last) != 1:
            names = ", ".join(self.graph.name_of(t) for t in last)
            raise ValueError(
                f"its branches come from several values at once ({names})"
                if last
                else "its branches come from different inputs"
            )
        return last[0]

    def _check_entry(self, entry: int, terms: list[int]) -> None:
        name = self.graph.name_of(entry)
        if not all(self.ancestors[term] >> entry & 1 for term in terms):
            raise ValueError(f"one of its branches does not come from {name}")
        if self.shapes[entry] is None:
            raise ValueError(f"its branches come from {name}, which has no batch")
        if not self.graph.dtypes[entry].startswith(("float", "bfloat")):
            raise ValueError(
                f"its branches come from {name}, which is {self.graph.dtypes[entry]}: "
                "there is no gradient"
            )

    def _skip(self, entry: int, terms: list[int], total: int, strict: bool) -> tuple[int, str]:
        """Chooses the branch that goes around the others."""
        if entry in terms:
            return entry, ""
        fits = [term for term in terms if self.shapes[term] == self.shapes[total]]
        sizes = {term: self._size(entry, term) for term in fits}
        simple = [t for t in fits if self._is_linear(entry, t)] if strict else fits
        if not simple:
            raise ValueError("none of its branches is an identity, a pooling or a projection")
        skip = min(simple, key=sizes.get)
        readings = [term for term in simple if term != skip]
        if not readings:
            return skip, ""
        other = ", ".join(self.graph.name_of(term) for term in readings)
        return skip, f"skip taken: {self.graph.name_of(skip)}, not {other}"

    def _size(self, entry: int, term: int) -> tuple[int, int]:
        nodes = self._nodes(entry, term)
        return sum(bool(node.variables) for node in nodes), len(nodes)

    def _nodes(self, entry: int, term: int) -> list[Node]:
        return [self.graph.producers[t] for t in self.between(entry, term)]

    def _is_linear(self, entry: int, term: int) -> bool:
        return all(map(is_linear, self._nodes(entry, term)))

    def _activated(self, total: int) -> int:
        """Returns what an activation that only this sum goes into makes of it, or the sum."""
        if len(self.consumers[total]) != 1 or total in self.graph.outputs:
            return total
        node = self.consumers[total][0]
        return node.outputs[0] if is_activation(node) else total

    def _check_closed(self, inner: Iterable[int], leaves: int) -> None:
        """Refuses a module of which something within is needed elsewhere."""
        produced = set(inner)
        for tensor in sorted(produced - {leaves}):
            outside = [
                node.name
                for node in self.consumers[tensor]
                if not produced.issuperset(node.outputs)
            ]
            if tensor in self.graph.outputs:
                outside.append("the output")
            if outside:
                raise ValueError(
                    f"{self.graph.name_of(tensor)} within it is needed elsewhere too, by "
                    f"{outside[0]}"
                )
