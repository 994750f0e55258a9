"""Modules that are parts of a graph: their layers are those of the model they come from."""

from keras import ops

from residual_ensembles.models.module import Module, scaled
from residual_ensembles.unraveling.additions import Candidate
from residual_ensembles.unraveling.graph import Graph
from residual_ensembles.unraveling.part import Program
from residual_ensembles.unraveling.state import State


class GraphModule(Module):
    """A residual module of a graph.

    It saves nothing of its own: when a chain is loaded, it is found in the model again.

    Args:
        graph: The graph.
        found: Which part of it.
        carried: Tensors that travel along.
        enters: State that enters.
        leaves: State that leaves.
    """

    def __init__(
        self, graph: Graph, found: Candidate, carried: tuple[int, ...], enters: State, leaves: State
    ):
        name = "".join(c if c.isalnum() else "_" for c in found.name)
        super().__init__(None, name=f"{name}_module", dtype=enters.dtypes[0], autocast=False)
        self.found = found
        self.enters = enters
        self.leaves = leaves
        self.shapes = enters.shape, leaves.shape
        self.kept_layout = (*enters.parts, *carried)
        known, skip = [found.entry, *carried], [] if found.skip is None else [found.skip]
        self.whole_program = Program(graph, known, [*skip, *found.residuals])
        self.skip_program = Program(graph, known, skip)
        self.residual_program = Program(graph, known, found.residuals)
        self.after_program = Program(graph, [found.total], [found.leaves])
        self.built = True

    @property
    def title(self) -> str:
        """What a person calls it: the name of the layer that it ends in."""
        return self.found.name

    @property
    def variables(self):
        both = [*self.whole_program.variables, *self.after_program.variables]
        return list({id(v): v for v in both}.values())

    @property
    def gated_variables(self):
        kept = {id(v) for v in self.skip_program.variables}
        return [v for v in self.residual_program.variables if id(v) not in kept]

    @property
    def layout(self):
        return self.kept_layout

    @property
    def leaves_as_it_is(self) -> bool:
        """Whether what enters leaves unchanged when the module is deleted."""
        return self.found.skip == self.found.entry and self.found.leaves == self.found.total

    def stream(self, y):
        return self.enters.unpacked(y)[0]

    def left_stream(self, y):
        return self.leaves.unpacked(y)[0]

    def residual(self, y, training=False):
        residual = _sum(self.residual_program(self.enters.unpacked(y), bool(training)))
        if self.enters.alone:
            return residual
        return self.enters.with_stream(residual, ops.zeros_like(y))

    def skip(self, y, training=False):
        if self.found.skip == self.found.entry:
            return y
        [skip] = self.skip_program(self.enters.unpacked(y), bool(training))
        return self.enters.with_stream(skip, y)

    def after(self, z):
        if self.found.leaves == self.found.total:
            return z
        [left] = self.after_program(self.leaves.unpacked(z)[:1], False)
        return self.leaves.with_stream(left, z)

    def run(self, y, scale, training=False):
        skip, *residuals = self.whole_program(self.enters.unpacked(y), bool(training))
        total = skip + scaled(_sum(residuals), scale)
        [left] = self.after_program([total], bool(training))
        return self.enters.with_stream(left, y)

    def get_config(self):
        """A module of a graph is nothing without its model, which is what is saved."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.shapes[1])


class LayerModule(GraphModule):
    """A layer that is a module by itself: there is one path, and deleted, what enters leaves.

    Gates know 0 and 1.
    """

    has_skip = False

    @property
    def leaves_as_it_is(self) -> bool:
        return True

    def bypass(self, y, training=False):
        return y

    def residual(self, y, training=False):
        [left] = self.residual_program(self.enters.unpacked(y), bool(training))
        return self.enters.with_stream(left, y)

    def run(self, y, scale, training=False):
        return self.residual(y, training=training)


def _sum(tensors: list):
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total
