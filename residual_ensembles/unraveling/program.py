"""Parts of a graph as functions of tensors."""

from collections.abc import Iterable, Sequence

import keras
from keras import ops

from residual_ensembles.unraveling.graph import Graph, Node
from residual_ensembles.unraveling.state import State


class Program:
    """A function from the tensors `known` of a graph to the tensors `wanted`."""

    def __init__(self, graph: Graph, known: Iterable[int], wanted: Sequence[int]):
        self.known = list(known)
        self.wanted = list(wanted)
        self.nodes = self._needed(graph)

    def _needed(self, graph: Graph) -> list[Node]:
        pending, nodes = [t for t in self.wanted if t not in self.known], set()
        while pending:
            tensor = pending.pop()
            node = graph.producers[tensor]
            if node is None:
                raise ValueError(f"{graph.name_of(tensor)} is needed and not known here")
            if node not in nodes:
                nodes.add(node)
                pending += [t for t in node.inputs if t not in self.known]
        return [node for node in graph.nodes if node in nodes]

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables that it uses, without repetitions."""
        return list({id(v): v for node in self.nodes for v in node.variables}.values())

    def __call__(self, tensors: Sequence, training: bool) -> list:
        """Returns the wanted tensors from the known ones."""
        values = dict(zip(self.known, tensors, strict=True))
        for node in self.nodes:
            node.call(values, training)
        return [values[tensor] for tensor in self.wanted]


class Segment:
    """A segment between two modules: a program from one state to another."""

    built = True
    compute_dtype = "float32"

    def __init__(self, program: Program, before: State, after: State):
        self.program = program
        self.before = before
        self.after = after

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables of the program."""
        return self.program.variables

    def __call__(self, y, training=False):
        """Returns the packed output, from the packed input."""
        return self.after.packed(self.program(self.before.unpacked(y), bool(training)))


class Stem(Segment):
    """The stem before the first module: from the inputs to a state.

    Several inputs enter as one tensor, as `State` packs them; one alone as it is. Each is cast to
    the type of the model's input.
    """

    def __call__(self, x, training=False):
        x = ops.convert_to_tensor(x)
        tensors = [
            ops.cast(tensor, dtype)
            for tensor, dtype in zip(self.before.unpacked(x), self.before.dtypes, strict=True)
        ]
        return self.after.packed(self.program(tensors, bool(training)))
