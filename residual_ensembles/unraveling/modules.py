"""Modules that are parts of a graph: they run the layers of its model."""

import functools
import operator

import keras
from keras import ops

from residual_ensembles.models.module import Module, scaled
from residual_ensembles.unraveling.additions import Candidate
from residual_ensembles.unraveling.graph import Graph, layers_within
from residual_ensembles.unraveling.program import Program
from residual_ensembles.unraveling.state import State


class GraphModule(Module):
    """A residual module of a graph.

    It saves nothing of its own: when a chain is loaded, its model is unraveled again.

    Args:
        graph: The graph.
        candidate: The part of it that is the module.
        carried: Tensors that are carried along.
        enters: Layout of the state that enters.
        leaves: Layout of the state that leaves.
    """

    def __init__(
        self,
        graph: Graph,
        candidate: Candidate,
        carried: tuple[int, ...],
        enters: State,
        leaves: State,
    ):
        name = "".join(c if c.isalnum() else "_" for c in candidate.name)
        super().__init__(None, name=f"{name}_module", dtype=enters.dtypes[0], autocast=False)
        self.candidate = candidate
        self.enters = enters
        self.leaves = leaves
        self.shapes = enters.shape, leaves.shape
        self._input_layout = (*enters.parts, *carried)
        known = [candidate.entry, *carried]
        skip = [] if candidate.skip is None else [candidate.skip]
        self.full_program = Program(graph, known, [*skip, *candidate.residuals])
        self.skip_program = Program(graph, known, skip)
        self.residual_program = Program(graph, known, candidate.residuals)
        self.after_program = Program(graph, [candidate.total], [candidate.output])
        self.channel_axis = channel_axis(graph, candidate, len(leaves.shapes[0]))
        """Axis of the channels in what it acts on, by its layers."""
        self.built = True

    @property
    def title(self) -> str:
        """Name of the module in tables: that of the layer that it ends in."""
        return self.candidate.name

    @property
    def variables(self):
        both = [*self.full_program.variables, *self.after_program.variables]
        return list({id(v): v for v in both}.values())

    @property
    def gated_variables(self):
        kept = {id(v) for v in self.skip_program.variables}
        return [v for v in self.residual_program.variables if id(v) not in kept]

    @property
    def input_layout(self):
        return self._input_layout

    @property
    def is_identity_when_deleted(self) -> bool:
        candidate = self.candidate
        return candidate.skip == candidate.entry and candidate.output == candidate.total

    def stream(self, y):
        return self.enters.unpacked(y)[0]

    def output_stream(self, y):
        return self.leaves.unpacked(y)[0]

    def residual(self, y, training=False):
        residual = _sum(self.residual_program(self.enters.unpacked(y), bool(training)))
        if self.enters.alone:
            return residual
        return self.enters.with_stream(residual, ops.zeros_like(y))

    def skip(self, y, training=False):
        if self.candidate.skip == self.candidate.entry:
            return y
        [skip] = self.skip_program(self.enters.unpacked(y), bool(training))
        return self.enters.with_stream(skip, y)

    def after(self, z):
        if self.candidate.output == self.candidate.total:
            return z
        [left] = self.after_program(self.leaves.unpacked(z)[:1], False)
        return self.leaves.with_stream(left, z)

    def run(self, y, scale, training=False):
        skip, *residuals = self.full_program(self.enters.unpacked(y), bool(training))
        total = skip + scaled(_sum(residuals), scale)
        [left] = self.after_program([total], bool(training))
        return self.enters.with_stream(left, y)

    def get_config(self):
        """Refused: the model of the graph is saved in place of its modules."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.shapes[1])


class LayerModule(GraphModule):
    """A layer that is a module by itself: there is one path, and deleted, it is the identity.

    Gates are 0 or 1.
    """

    has_skip = False
    scales_residual = False

    @property
    def is_identity_when_deleted(self) -> bool:
        return True

    def bypass(self, y, training=False):
        return y

    def residual(self, y, training=False):
        [left] = self.residual_program(self.enters.unpacked(y), bool(training))
        return self.enters.with_stream(left, y)

    def run(self, y, scale, training=False):
        return self.residual(y, training=training)


def _sum(tensors: list):
    return functools.reduce(operator.add, tensors)


def channel_axis(graph: Graph, candidate: Candidate, rank: int) -> int:
    """Returns the axis of the channels in what leaves a module: 1 where they come first, else -1.

    It follows from the layers of the module, by their data format, the axis that they normalize, or
    because they act on the last one; otherwise from those before it. `rank` is without batch.
    """
    own = [node for node in graph.nodes if candidate.inner.intersection(node.outputs)]
    last = next(i for i, node in enumerate(graph.nodes) if candidate.output in node.outputs)
    for node in [*own[::-1], *graph.nodes[:last][::-1]]:
        for layer in layers_within(node.operation):
            axis = _axis_of(layer, rank)
            if axis is not None:
                return axis
    return -1


ON_LAST_AXIS = (
    keras.layers.Dense,
    keras.layers.EinsumDense,
    keras.layers.Embedding,
    keras.layers.MultiHeadAttention,
)
NORMALIZATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.RMSNormalization,
    keras.layers.UnitNormalization,
)


def _axis_of(layer, rank: int) -> int | None:
    """Returns the axis of the channels of a layer, None where it does not say."""
    if getattr(layer, "data_format", None) is not None:
        spatial = getattr(layer, "rank", getattr(layer, "pool_dimensions", rank - 1))
        axis = 1 if layer.data_format == "channels_first" else -1
        return axis if spatial == rank - 1 else None
    if isinstance(layer, NORMALIZATIONS):
        axis = layer.axis
        axes = [axis] if isinstance(axis, int) else list(axis)
        if len(axes) > 1:  # over places too, so that it does not say
            return None
        return 1 if axes in ([1], [-rank]) else -1
    return -1 if isinstance(layer, ON_LAST_AXIS) else None
