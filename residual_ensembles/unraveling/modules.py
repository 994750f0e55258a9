"""Modules of a graph, which run the layers of its model."""

import functools
import operator
from collections import deque
from collections.abc import Sequence

import keras
from keras import ops

from residual_ensembles.models.module import Module, scaled
from residual_ensembles.unraveling.additions import Candidate
from residual_ensembles.unraveling.graph import Graph, Node, layers_within
from residual_ensembles.unraveling.program import Program
from residual_ensembles.unraveling.state import State
from residual_ensembles.unraveling.sums import exchanges_axes


class GraphModule(Module):
    """A residual module of a graph, which acts on the first tensor of a state.

    It saves nothing of its own: when a chain is loaded, its model is unraveled again.

    `sum_dtype`, the type of the sum, may be wider than those of its terms.
    """

    def __init__(
        self,
        graph: Graph,
        candidate: Candidate,
        carried: tuple[int, ...],
        input_state: State,
        output_state: State,
        channel_axis: int,
        sum_dtype: str,
    ):
        name = "".join(c if c.isalnum() else "_" for c in candidate.name)
        super().__init__(None, name=f"{name}_module", dtype=input_state.dtypes[0], autocast=False)
        self.candidate = candidate
        self.input_state = input_state
        self.output_state = output_state
        self.shapes = input_state.shape, output_state.shape
        self._input_layout = (*input_state.parts, *carried)
        known = [candidate.entry, *carried]
        skip = [] if candidate.skip is None else [candidate.skip]
        self.full_program = Program(graph, known, [*skip, *candidate.residuals])
        self.skip_program = Program(graph, known, skip)
        self.residual_program = Program(graph, known, candidate.residuals)
        self.after_program = Program(graph, [candidate.total], [candidate.output])
        self.channel_axis = channel_axis
        self.sum_dtype = sum_dtype
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
        return self._skips_as_it_is and self.candidate.output == self.candidate.total

    @property
    def _skips_as_it_is(self) -> bool:
        is_identity = self.candidate.skip == self.candidate.entry
        return is_identity and self.input_state.dtypes[0] == self.sum_dtype

    def _run(self, program: Program, y, training) -> list:
        """Returns the results of a program on the packed input, in the type of the sum."""
        tensors = program(self.input_state.unpacked(y), bool(training))
        return [ops.cast(x, self.sum_dtype) for x in tensors]

    def stream(self, y):
        return self.input_state.unpacked(y)[0]

    def output_stream(self, y):
        return self.output_state.unpacked(y)[0]

    def residual(self, y, training=False):
        residual = _sum(self._run(self.residual_program, y, training))
        if self.input_state.is_single:
            return residual
        return self.input_state.with_stream(residual, ops.zeros_like(y))

    def skip(self, y, training=False):
        if self._skips_as_it_is:
            return y
        [skip] = self._run(self.skip_program, y, training)
        return self.input_state.with_stream(skip, y)

    def after(self, z):
        if self.candidate.output == self.candidate.total:
            return z
        [left] = self.after_program(self.output_state.unpacked(z)[:1], False)
        return self.output_state.with_stream(left, z)

    def run(self, y, scale, training=False):
        skip, *residuals = self._run(self.full_program, y, training)
        total = skip + scaled(_sum(residuals), scale)
        [left] = self.after_program([total], bool(training))
        return self.input_state.with_stream(left, y)

    def get_config(self):
        """Raises an error: the model of the graph is saved in place of its modules."""
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
        [left] = self.residual_program(self.input_state.unpacked(y), bool(training))
        return self.input_state.with_stream(left, y)

    def run(self, y, scale, training=False):
        return self.residual(y, training=training)


def _sum(tensors: list):
    return functools.reduce(operator.add, tensors)


ON_LAST_AXIS = (
    keras.layers.Dense,
    keras.layers.EinsumDense,
    keras.layers.Embedding,
    keras.layers.MultiHeadAttention,
    keras.layers.RNN,
)
NORMALIZATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.RMSNormalization,
    keras.layers.UnitNormalization,
)


def channel_axis(graph: Graph, shapes: Sequence[tuple | None], candidate: Candidate) -> int:
    """Returns the axis of the channels in the output of a module: 1 where they come first, else -1.

    The nearest layer decides, by its data format, by the axis that it normalizes, or because it
    acts on the last one: nearest before the output, else after the input, and not behind a layer
    that exchanges axes. A branch may have its channels elsewhere, between two permutations.
    """
    consumers = graph.consumers()
    for start, backwards in ((candidate.output, True), (candidate.entry, False)):
        pending, seen = deque([start]), set()
        while pending:
            tensor = pending.popleft()
            shape = shapes[tensor] or ()
            for node in [graph.producers[tensor]] if backwards else consumers[tensor]:
                if node is None or node in seen or exchanges_axes(node):
                    continue
                seen.add(node)
                axis = _axis_of(node, len(shape))
                if axis is not None:
                    return axis
                following = node.inputs if backwards else node.outputs
                pending += [t for t in following if _broadcasts(shapes[t], shape)]
    return -1


def _broadcasts(one: tuple | None, other: tuple) -> bool:
    """Whether shapes of one rank broadcast with each other."""
    if one is None or len(one) != len(other):
        return False
    return all(a == b or 1 in (a, b) for a, b in zip(one, other, strict=True))


def _axis_of(node: Node, rank: int) -> int | None:
    """Returns the axis of the channels of a layer; None where layers in it do not agree on one."""
    axes = {_axis_of_layer(layer, rank) for layer in layers_within(node.operation)} - {None}
    return axes.pop() if len(axes) == 1 else None


def _axis_of_layer(layer, rank: int) -> int | None:
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
