"""Search for the modules of a graph: those that were asked for, or all that there are."""

import contextlib
import math
from collections import Counter

import keras

from residual_ensembles.arguments import see, shown
from residual_ensembles.unraveling.additions import Additions, Candidate
from residual_ensembles.unraveling.graph import Graph, Node, functional, layers_within
from residual_ensembles.unraveling.graph_partition import longest_chain

N_SHOWN = 5
"""Number of reasons and of layers that an error lists, at most."""
N_SUGGESTED = 3
"""Number of kinds of layers that an error suggests, at most."""


class Search:
    """Search for the modules of a graph; `boundaries` and `modules` are those of `unravel`."""

    def __init__(self, graph: Graph, additions: Additions, boundaries, modules):
        self.graph = graph
        self.additions = additions
        self.boundaries = None if boundaries is None else [_plain_values(b) for b in boundaries]
        self.notes: list[str] = []
        self.by_name = {node.name: node for node in graph.nodes}
        self.layers, named = self._layers(modules)
        if self.boundaries is None:
            result = additions.find()
            self.candidates, self.refused = result.candidates, result.refused
            forced = {candidate.name for candidate in named}
        else:
            self.candidates = [self._candidate_at(boundary) for boundary in self.boundaries]
            self.refused = {}
            forced = {candidate.name for candidate in [*self.candidates, *named]}
        self.candidates += named
        self.forced = frozenset(forced)

    def chosen(self) -> list[Candidate]:
        """Returns the modules in order; a ValueError where there is none."""
        chain = longest_chain(self.candidates, self.forced, self.additions.ancestors)
        if not chain:
            reasons = _some([f"{name}: {why}" for name, why in self.refused.items()], "; ")
            closed = "".join(f"; {each}" for each in self._opaque_models()[:1])
            raise ValueError(
                f"Received {self.graph.model.name}, in which no branch is added back"
                f"{f' as a module ({reasons})' if reasons else ''}; expected a residual network, "
                "or modules=[...] with layers that keep the shape of what passes through"
                f"{self._suggested_layers()}{self._meetings()}{closed}. "
                + see("tutorials/your-own-network", "when-a-graph-is-not-cut-as-you-like")
            )
        self.notes += [*self._always_training(), *self._opaque_models()]
        taken = {candidate.name for candidate in chain}
        self.notes += [f"{c.name}: {c.note}" for c in chain if c.note]
        self.notes += [
            f"{c.name}: no module, it lies around or beside others"
            for c in self.candidates
            if c.name not in taken
        ]
        self.notes += [f"{name}: no module, {why}" for name, why in self.refused.items()]
        return chain

    def _suggested_layers(self) -> str:
        """Suggests layers that could be modules by themselves: the kinds with the most weights."""
        count: Counter[str] = Counter()
        weights: Counter[str] = Counter()
        for node in self.graph.nodes:
            if node.weights:
                with contextlib.suppress(ValueError):
                    self.additions.layer(node)
                    kind = type(node.operation).__name__
                    count[kind] += 1
                    weights[kind] += sum(math.prod(w.shape) for w in node.weights)
        suggested = [f"{count[kind]} {kind}" for kind, _ in weights.most_common(N_SUGGESTED)]
        return f": there are {', '.join(suggested)}" if suggested else ""

    def _meetings(self) -> str:
        """Names the layers where branches meet, and suggests `boundaries` for the first."""
        meetings = self.additions.meetings()
        if not meetings:
            return ""
        names = _some([node.name for node, _, _ in meetings], ", ")
        for node, entry, skip in meetings:
            if skip is not None:
                example = (self.graph.name_of(entry), node.name, self.graph.name_of(skip))
                return (
                    f"; branches meet at {names}: say for instance boundaries=[{example}], that is "
                    "(begin, end, skip)"
                )
        return f"; branches meet at {names}, where none keeps its shape"

    def _opaque_models(self) -> list[str]:
        """Returns notes on models within layers, whose additions are not in the graph.

        One layer after another, as in a `Sequential`, adds nothing.
        """
        return [
            f"the model {layer.name} within {node.name} ({type(node.operation).__name__}) is not "
            "entered: take it apart by itself"
            for node in self.graph.nodes
            for layer in layers_within(node.operation)[1:]
            if functional(layer) is not None and not isinstance(layer, keras.Sequential)
        ]

    def _always_training(self) -> list[str]:
        return [
            f"{node.name}: called with training=True, which inference leaves out, as "
            "model.predict does"
            for node in self.graph.nodes
            if node.arguments[1].get("training") is True
        ]

    def _candidate_at(self, boundary) -> Candidate:
        named = [None, boundary] if isinstance(boundary, str) else boundary
        begin, end, skip = [*named, None][:3]
        node, around = self._node(end), self._tensor(skip)
        adds = self.additions.adds(node, around)
        if not adds and (begin is None or skip is None):
            raise ValueError(
                f"Received the boundary {end}, expected a layer that adds branches, or (begin, "
                "end, skip) for one where they meet in another way."
            )
        try:
            entry = self._tensor(begin)
            if adds or entry is None or around is None:
                return self.additions.candidate(node, entry, around)
            return self.additions.merge(node, entry, around)
        except ValueError as error:
            raise ValueError(
                f"Received the boundary {end}, which cannot end a module: {error}."
            ) from error

    def _node(self, name: str) -> Node:
        if name not in self.by_name:
            raise ValueError(
                f"Received the layer {name!r}, which {self.graph.model.name} does not have, "
                f"expected for instance {', '.join(list(self.by_name)[-3:])}."
            )
        return self.by_name[name]

    def _tensor(self, name: str | None) -> int | None:
        if name is None:
            return None
        inputs = [x.name for x in self.graph.model.inputs]
        if name in inputs and name not in self.by_name:
            return self.graph.inputs[inputs.index(name)]
        return self._node(name).outputs[0]

    def _layers(self, modules) -> tuple[list[str], list[Candidate]]:
        """Returns names and candidates of layers that are modules by themselves."""
        if modules is None or modules == []:
            return [], []
        chosen = [modules] if callable(modules) else modules
        names = [choice for choice in chosen if isinstance(choice, str)]
        result = [self._named(name) for name in names]
        for node in self.graph.nodes:
            is_layer = isinstance(node.operation, keras.layers.Layer)
            if is_layer and node.name not in names and _is_chosen(node.operation, chosen):
                try:
                    result.append(self.additions.layer(node))
                except ValueError as error:
                    self.notes.append(f"{node.name}: no module, {error}")
        if not result:
            notes = f" ({'; '.join(self.notes)})" if self.notes else ""
            raise ValueError(
                f"Received modules={shown(modules)}, of which {self.graph.model.name} has none "
                f"that keeps the shape of what passes through{notes}."
            )
        return [candidate.name for candidate in result], result

    def _named(self, name: str) -> Candidate:
        try:
            return self.additions.layer(self._node(name))
        except ValueError as error:
            if "does not have" in str(error):
                raise
            raise ValueError(
                f"Received {name} as a module, but {error}; expected a layer that can be left out."
            ) from error


def _plain_values(boundary):
    """Returns a boundary as plain values, for a network's file."""
    if isinstance(boundary, str):
        return boundary
    named = list(boundary)
    if len(named) not in (2, 3) or not all(isinstance(name, str) for name in named):
        raise ValueError(
            f"Received the boundary {boundary!r}, expected the name of an addition, (begin, end) "
            "or (begin, end, skip)."
        )
    return named


def _is_chosen(layer, chosen) -> bool:
    kinds = tuple(c for c in chosen if isinstance(c, type))
    functions = [c for c in chosen if callable(c) and not isinstance(c, type)]
    return isinstance(layer, kinds) or any(function(layer) for function in functions)


def _some(texts: list[str], separator: str) -> str:
    """Returns the first of some texts, and how many more there are."""
    more = [f"and {len(texts) - N_SHOWN} more"] if len(texts) > N_SHOWN else []
    return separator.join([*texts[:N_SHOWN], *more])
