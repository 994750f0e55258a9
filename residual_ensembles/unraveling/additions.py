"""Candidates for modules in a graph: additions of a branch and its skip, and others."""

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field

from residual_ensembles.unraveling.example import Trace
from residual_ensembles.unraveling.graph import Graph, Node, Ref, members
from residual_ensembles.unraveling.probing import Probe
from residual_ensembles.unraveling.sums import (
    Difference,
    Repeated,
    SumTerm,
    is_activation,
    is_linear,
    is_nonlinear,
    is_plain_sum,
    may_add,
)


@dataclass(frozen=True)
class Candidate:
    """A part of the graph that can be a module; its tensors by number."""

    name: str
    entry: int
    """The input of the module."""
    skip: int | None
    """The skip, as a term of the sum; None where there is one path only."""
    residuals: tuple[int, ...]
    """The terms that are added to it; the output itself where there is no skip."""
    total: int
    """The sum."""
    output: int
    """The output of the module: the sum, or the output of its activation."""
    inner: frozenset[int]
    """Tensors between `entry` and `output`, with `output`; without those that are needed outside
    the module too, which are computed before it."""
    note: str = ""
    """Which skip was chosen, where several branches can be the skip."""
    side_sums: frozenset[int] = frozenset()
    """Sums outside of the module that a tensor within it is added to, as in a WaveNet."""


@dataclass
class Candidates:
    """All candidates for modules in a graph."""

    candidates: list[Candidate] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """Reasons why other additions are not modules, by their names."""


class Additions:
    """Search for candidates in a graph.

    Args:
        graph: The graph; nodes for the terms of sums are added to it, and to the trace.
        trace: Shapes and types of its tensors, seen in one run.
    """

    def __init__(self, graph: Graph, trace: Trace):
        self.graph = graph
        self.trace = trace
        self.shapes = trace.shapes
        self.probe = Probe(graph, trace)
        self.consumers = graph.consumers()
        self.nodes: list[Node] = []
        self._added_as: dict[tuple[int, int], int] = {}
        """The term of a sum by (tensor, sum), where it is not the tensor itself."""
        self.terms: dict[int, list[int]] = {}
        for node in list(graph.nodes):
            terms = self._terms(node)
            if terms is not None:
                self.nodes.append(node)
                self.terms[node.outputs[0]] = terms
        self.ancestors = graph.ancestors()  # also of nodes that `_terms` added
        self._linear: dict[tuple[int, int], bool] = {}

    def find(self) -> Candidates:
        """Returns all candidates, and why other additions are not modules."""
        result = Candidates()
        for node in self.nodes:
            try:
                result.candidates.append(self.candidate(node))
            except ValueError as error:
                result.refused[node.name] = str(error)
        sums = frozenset().union(*(candidate.side_sums for candidate in result.candidates))
        for candidate in [c for c in result.candidates if c.total in sums and c.skip != c.entry]:
            result.candidates.remove(candidate)
            result.refused[candidate.name] = "it adds up what other modules output on the side"
        return result

    def candidate(self, node: Node, entry: int | None = None, skip: int | None = None) -> Candidate:
        """Returns the module that ends in an addition; a ValueError says why there is none.

        `entry` is by default the last tensor that all branches depend on; `skip` is `entry` itself,
        or else the smallest branch, which has to be linear unless `entry` is given.
        """
        total = node.outputs[0]
        terms = self._flat_terms(total)
        strict = entry is None
        entry = self._entry(terms) if entry is None else entry
        self._check_entry(entry, terms)
        if skip is None:
            skip, note = self._skip(entry, terms, total, strict)
        else:
            note = ""
            skip = self._added_as.get((skip, total), skip)
        odd = next((t for t in terms if self.shapes[t] != self.shapes[total]), None)
        if odd is not None:
            raise ValueError(
                f"{self.graph.name_of(odd)} of shape {self.shapes[odd]} is added to what makes "
                f"{self.shapes[total]}: bring it to that shape before"
            )
        residuals = tuple(term for term in terms if term != skip)
        if len(residuals) != len(terms) - 1:
            raise ValueError("something is added to itself")
        if strict and all(self._is_constant(entry, term) for term in residuals):
            raise ValueError("what is added does not depend on what enters")
        output = self._activated(total)
        inner = self.between(entry, output)
        own, side_sums = self._own_tensors(entry, inner, total, output)
        return Candidate(node.name, entry, skip, residuals, total, output, own, note, side_sums)

    def adds(self, node: Node, tensor: int | None) -> bool:
        """Whether a node is an addition of which a tensor, unless it is None, is a term."""
        total = node.outputs[0]
        if total not in self.terms or tensor is None:
            return total in self.terms
        return self._added_as.get((tensor, total), tensor) in self._flat_terms(total)

    def merge(self, node: Node, entry: int, skip: int) -> Candidate:
        """Returns the module that ends in a layer that joins skip and residual, but does not add.

        When it is deleted, its output is `skip`. A ValueError says why there is no such module.
        """
        total = node.outputs[0]
        if self.shapes[skip] is None or self.shapes[skip] != self.shapes[total]:
            raise ValueError(
                f"{self.graph.name_of(skip)} has the shape {self.shapes[skip]}, and the output "
                f"{self.shapes[total]}"
            )
        self._check_entry(entry, [skip, total])
        residual = self._add(Difference(f"{node.name}_residual"), [total, skip], total)
        self.ancestors = self.graph.ancestors()
        output = self._activated(total)
        own, _ = self._own_tensors(entry, self.between(entry, output), total, output)
        return Candidate(node.name, entry, skip, (residual,), total, output, own)

    def meetings(self) -> list[tuple[Node, int, int | None]]:
        """Returns where branches meet: the node, where they part, and a possible skip.

        Of several nodes with the same start it is the last, as the sum of a highway rather than its
        products; and where branches are stacked or concatenated, a later layer that brings them
        back to a shape that the skip has. The skip is None where there is none.
        """
        result: dict[int, tuple[Node, int, int | None]] = {}
        dominators = self._dominators()
        for node in self.graph.nodes:
            inputs = list(dict.fromkeys(node.inputs))
            if len(inputs) < 2 or len(node.outputs) != 1:
                continue
            through = dominators[node.outputs[0]] & ~(1 << node.outputs[0])
            if not through:
                continue
            entry = max(members(through), key=lambda t: self.ancestors[t].bit_count())
            ordered = sorted(inputs, key=functools.partial(self._size, entry))
            result[entry] = self._meeting(node, entry, [entry, *(t for t in ordered if t != entry)])
        return list(result.values())

    def _meeting(
        self, node: Node, entry: int, skips: Sequence[int]
    ) -> tuple[Node, int, int | None]:
        """Returns the first node, from `node` on in a line, with the shape of a possible skip."""
        last: Node | None = node
        while last is not None:
            output = last.outputs[0]
            shape = self.shapes[output]
            skip = next((t for t in skips if shape is not None and self.shapes[t] == shape), None)
            if skip is not None and self._can_merge(entry, output):
                return last, entry, skip
            following = self.consumers[output]
            alone = len(following) == 1 and len(following[0].inputs) == 1
            last = following[0] if alone and len(following[0].outputs) == 1 else None
        return node, entry, None

    def _dominators(self) -> list[int]:
        """Returns the dominators of each tensor, those on all ways to it and itself, as bits."""
        result = [1 << tensor for tensor in range(len(self.ancestors))]
        for node in self.graph.nodes:
            both = functools.reduce(operator.and_, (result[t] for t in node.inputs), -1)
            for tensor in node.outputs:
                result[tensor] |= both if both >= 0 else 0
        return result

    def _can_merge(self, entry: int, output: int) -> bool:
        try:
            self._check_entry(entry, [output])
            self._own_tensors(entry, self.between(entry, output), output, output)
        except ValueError:
            return False
        return True

    def layer(self, node: Node) -> Candidate:
        """Returns the module that consists of one layer, if it keeps the shape."""
        entry = node.first
        if entry is None or len(node.outputs) != 1:
            raise ValueError("it does not turn one tensor into one")
        output = node.outputs[0]
        before, after = self.shapes[entry], self.shapes[output]
        if before is None:
            raise ValueError("what it takes has no batch")
        if before != after or self.graph.dtypes[entry] != self.graph.dtypes[output]:
            raise ValueError(f"it changes the shape of what passes through, {before} to {after}")
        # Its other inputs are computed before it and carried along, even where they depend on its
        # first input: another module may need them too.
        inner = frozenset([output])
        return Candidate(node.name, entry, None, (output,), output, output, inner)

    def between(self, entry: int, output: int) -> frozenset[int]:
        """Returns the tensors that depend on `entry` and that `output` depends on."""
        above = self.ancestors[output] & ~(1 << entry)
        return frozenset(t for t in members(above) if self.ancestors[t] >> entry & 1)

    def _terms(self, node: Node) -> list[int] | None:
        """Returns the terms that a node adds; None where it does not add."""
        if len(node.inputs) < 2 or len(node.outputs) != 1:
            return None
        total = node.outputs[0]
        if is_plain_sum(node):
            return [self._repeated(tensor, total) for tensor in node.inputs]
        as_it_is = self.probe.unscaled_inputs(node) if may_add(node) else None
        if as_it_is is None:
            return None
        terms, shapes = [], [self.shapes[tensor] for tensor in node.inputs]
        for i, (tensor, same) in enumerate(zip(node.inputs, as_it_is, strict=True)):
            if not same:
                self._added_as[tensor, total] = self._add(SumTerm(node, i, shapes), [tensor], total)
            terms.append(self._repeated(tensor, total) if same else self._added_as[tensor, total])
        return terms

    def _repeated(self, tensor: int, total: int) -> int:
        """Returns a tensor broadcast to the shape of a sum."""
        own, full = self.shapes[tensor], self.shapes[total]
        if own is None or full is None or len(own) != len(full) or own == full:
            return tensor
        name = f"{self.graph.name_of(tensor)}_repeated"
        repeats = tuple(b if a == 1 else 1 for a, b in zip(own, full, strict=True))
        repeated = self._add(Repeated(name, repeats), [tensor], total)
        self._added_as[tensor, total] = repeated
        return repeated

    def _add(self, operation, inputs: list[int], like: int) -> int:
        """Returns the output of a new node, which has the shape and type of `like`."""
        refs, dtypes = tuple(map(Ref, inputs)), [self.graph.dtypes[like]]
        node = self.graph.add(operation, (refs, {}), dtypes, operation.name)
        self.trace.shapes.append(self.shapes[like])
        self.trace.dtypes.append(self.trace.dtypes[like])
        self.trace.masks.append(None)
        if self.trace.equal.issuperset(inputs):
            self.trace.equal.add(node.outputs[0])
        return node.outputs[0]

    def _flat_terms(self, total: int) -> list[int]:
        """Returns the terms of a sum, with those of sums among them that nothing else needs."""
        result = []
        for term in self.terms[total]:
            is_inner_sum = term in self.terms and len(self.consumers[term]) == 1
            result += self._flat_terms(term) if is_inner_sum else [term]
        return result

    def _entry(self, terms: list[int]) -> int:
        common = self.ancestors[terms[0]]
        for term in terms[1:]:
            common &= self.ancestors[term]
        result = list(members(common))
        last = [t for t in result if not any(self.ancestors[u] >> t & 1 for u in result if u != t)]
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
        """Chooses the branch that is the skip, and notes others that could be."""
        if entry in terms:
            return entry, ""
        fits = [term for term in terms if self.shapes[term] == self.shapes[total]]
        sizes = {term: self._size(entry, term) for term in fits}
        ordered = sorted(fits, key=sizes.__getitem__)
        if not fits:
            raise ValueError("none of its branches has the shape of the sum")
        if not strict:
            simple = ordered
        else:
            listed = [t for t in ordered if all(map(is_linear, self._nodes(entry, t)))]
            skip = next((t for t in ordered if t in listed or self._is_linear(entry, t)), None)
            others = [t for t in terms if t != skip]
            if skip is None or not any(self._can_be_residual(entry, t) for t in others):
                raise ValueError(
                    "none of its branches is an identity, a pooling or a projection, beside one "
                    "that is none"
                )
            simple = [skip, *(t for t in listed if t != skip)]
        skip = simple[0]
        alternatives = [term for term in simple if term != skip]
        if not alternatives:
            return skip, ""
        other = ", ".join(self.graph.name_of(term) for term in alternatives)
        return skip, f"skip taken: {self.graph.name_of(skip)}, not {other}"

    def _size(self, entry: int, term: int) -> tuple[int, int]:
        nodes = self._nodes(entry, term)
        return sum(bool(node.variables) for node in nodes), len(nodes)

    def _nodes(self, entry: int, term: int) -> list[Node]:
        nodes = (self.graph.producers[t] for t in self.between(entry, term))
        return [node for node in nodes if node is not None]

    def _is_linear(self, entry: int, term: int) -> bool:
        """Whether a branch is known, or found by trial, to be a linear function."""
        if (entry, term) not in self._linear:
            nodes = self._nodes(entry, term)
            tried = not any(map(is_nonlinear, nodes))
            self._linear[entry, term] = tried and self.probe.is_linear(entry, term, nodes)
        return self._linear[entry, term]

    def _is_constant(self, entry: int, term: int) -> bool:
        """Whether a branch does not depend on `entry`, such as a table of positions."""
        known = term in self.trace.equal  # a test that costs nothing
        return known and self.probe.is_constant(entry, term, self._nodes(entry, term))

    def _can_be_residual(self, entry: int, term: int) -> bool:
        """Whether a branch has weights or is not linear, as a residual."""
        return self._size(entry, term)[0] > 0 or not self._is_linear(entry, term)

    def _activated(self, total: int) -> int:
        """Returns the output of an activation that is the sum's only consumer, or the sum."""
        if len(self.consumers[total]) != 1 or total in self.graph.outputs:
            return total
        node = self.consumers[total][0]
        return node.outputs[0] if is_activation(node) else total

    def _own_tensors(
        self, entry: int, inner: frozenset[int], total: int, output: int
    ) -> tuple[frozenset[int], frozenset[int]]:
        """Returns the tensors that only a module needs, and the sums that its others are added to.

        Tensors that are also needed outside are computed before the module and carried along. Where
        they reach anything but such sums there is no module, which is a ValueError.
        """
        needed, sums = self._needed_outside(inner, output)
        if not needed:
            return inner, frozenset()
        before = frozenset(t for t in inner if any(self.ancestors[n] >> t & 1 for n in needed))
        holds_module = any(t in self.terms and self._ends_another_module(entry, t) for t in before)
        if before & {total, output} or holds_module or not sums:
            self._refuse(next(iter(needed)), inner)
        return inner - before, sums

    def _ends_another_module(self, entry: int, total: int) -> bool:
        """Whether a sum is that of another module: its branches start at or beside `entry`.

        Where a condition is added, they start at different inputs, or before `entry`.
        """
        try:
            other = self._entry(self._flat_terms(total))
        except ValueError:
            return False
        return other == entry or not self.ancestors[entry] >> other & 1

    def _needed_outside(self, inner: frozenset[int], output: int) -> tuple[dict, frozenset[int]]:
        """Returns the tensors of a module that are needed outside, and the sums that they reach.

        The second is empty where one of them reaches anything else.
        """
        needed, sums = {}, set()
        for tensor in sorted(inner - {output}):
            outside = self._outside(tensor, inner)
            if outside or tensor in self.graph.outputs:
                needed[tensor] = outside
        for tensor in needed:
            reached = self._sums_reached(tensor, inner)
            if reached is None:
                return needed, frozenset()
            sums |= reached
        return needed, frozenset(sums)

    def _outside(self, tensor: int, inner: frozenset[int]) -> list[Node]:
        nodes = self.consumers[tensor] if tensor < len(self.consumers) else []
        return [node for node in nodes if not inner.issuperset(node.outputs)]

    def _sums_reached(self, tensor: int, inner: frozenset[int]) -> set[int] | None:
        """Returns the first sums outside of a module that a tensor is added to, once each.

        None where it reaches anything else: an output, or a sum by more than one term.
        """
        if tensor in self.graph.outputs:
            return None
        reached, pending, sums = {tensor}, self._outside(tensor, inner), set()
        while pending:
            node = pending.pop()
            if node.outputs[0] in self.terms:
                sums.add(node.outputs[0])
                continue
            if any(t in self.graph.outputs for t in node.outputs):
                return None
            new = [t for t in node.outputs if t not in reached]
            reached.update(new)
            pending += [consumer for t in new for consumer in self.consumers[t]]
        nodes = (node for node in self.graph.nodes if node.outputs[0] in sums)
        once = all(sum(t in reached for t in node.inputs) == 1 for node in nodes)
        return sums if once else None

    def _refuse(self, tensor: int, inner: frozenset[int]) -> None:
        outside = [node.name for node in self._outside(tensor, inner)] or ["the output"]
        raise ValueError(
            f"{self.graph.name_of(tensor)} within it is needed elsewhere too, by {outside[0]}"
        )
