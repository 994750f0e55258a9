"""Any functional Keras model as a chain: `unravel`, and the chain that it makes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import ops, tree

from residual_ensembles.arguments import checked
from residual_ensembles.models import _keras_internals
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.nesting import register_all
from residual_ensembles.models.targets import as_array, check_numbers
from residual_ensembles.models.types import Compilation, Inputs
from residual_ensembles.unraveling import chain_summary, example
from residual_ensembles.unraveling.additions import Additions
from residual_ensembles.unraveling.example import N_EXAMPLES, Trace, in_order, structured
from residual_ensembles.unraveling.graph import Graph, compilation_of, functional, graph_of
from residual_ensembles.unraveling.graph_partition import Layout, Partition
from residual_ensembles.unraveling.modules import GraphModule, LayerModule, channel_axis
from residual_ensembles.unraveling.probing import Probe, tolerance
from residual_ensembles.unraveling.program import Program, Segment, Stem
from residual_ensembles.unraveling.search import Search
from residual_ensembles.unraveling.state import LARGEST_INTEGER, State

SUM_TOLERANCE = 0.01
"""Largest distance from 1 of a sum of probabilities, such as float16 has."""


@keras.saving.register_keras_serializable("residual_ensembles")
class UnraveledChain(Chain):
    """The chain that `unravel` makes of a model. They share their weights.

    Inputs may be structured as the model takes them, or packed: see `packed_inputs`. `head` returns
    `(batch, numbers)`, and a call what the model returns.

    Args:
        graph: Graph of the model.
        partition: Its partition into modules.
        trace: Shapes, types and values seen in one run.
        choices: Arguments of `unravel`, as plain values, that make the same chain again.
        name: Name of the chain.
    """

    def __init__(
        self, graph: Graph, partition: Partition, trace: Trace, choices: Mapping, name: str
    ):
        parts = _Parts(graph, partition, trace)
        # Not `Chain.__init__`: it builds at once, and Keras lets nothing be added after that.
        keras.Model.__init__(self, name=name, dtype="float32")
        self.stem, self.head = parts.stem(), parts.head()
        self.modules, self.segments = parts.modules(), parts.segments()
        self.image_shape = parts.inputs.shape
        self.network = graph.model
        self.graph = graph
        self.partition = partition
        self.choices = dict(choices)
        self.inputs_state = parts.inputs
        self.outputs_state = parts.outputs
        types = parts.inputs.dtypes
        self.takes_integers = not any(each.startswith(("float", "bfloat")) for each in types)
        self.carries_integers = any(m.input_state.has_integers for m in self.modules)
        probabilities = choices.get("probabilities")
        if probabilities is None:
            probabilities = _are_probabilities(graph, trace)
        self.probabilities = probabilities
        self.agreement: float | None = None
        """Largest difference from the model on an example, as a share of the largest output."""
        self.notes: list[str] = []
        """Notes of the search: other possible skips, and additions that are not modules."""
        self.build(None)

    def build(self, input_shape):
        self.shapes = [module.shapes[0] for module in self.modules]
        self.shapes.append(self.modules[-1].shapes[1])
        self.built = True

    def call(self, x, gates=None, training=None):
        inputs = self.packed_inputs(x)
        return self.unpacked_outputs(self.packed_outputs(inputs, gates, training))

    def packed_outputs(self, x, gates=None, training=None):
        """Returns outputs of packed inputs as the head returns them, `(batch, numbers)`."""
        return super().call(x, gates=gates, training=training)

    def summary(self, line_length: int | None = None, print_fn: Callable | None = None, **_):
        """Prints the modules of the chain, their shapes and costs, and its difference to the model.

        Args:
            line_length: Characters in a line, beyond which the table goes on below; None for as
                many as it takes.
            print_fn: Called with the text in place of `print`.
            **_: Other arguments of `keras.Model.summary`, which are ignored.
        """
        (print_fn or print)(chain_summary.text(self, line_length))

    def summary_table(self) -> pd.DataFrame:
        """Returns one row for each module.

        Returns:
            `module` (number from 1), `name`, `begins`, `ends` (names of layers), `skip`,
            `shape_in`, `shape_out` (without batch), and `parameters` and `multiply_adds` (of one
            example) that deleting the module saves; a layer that is shared with another module
            counts in both.
        """
        return chain_summary.module_table(self)

    @property
    def compiled_with(self) -> Compilation:
        return compilation_of(self.network)

    @property
    def input_shapes(self):
        return list(self.inputs_state.shapes)

    def packed_inputs(self, x):
        """Returns inputs as one tensor, as the stem takes them: one input alone is as it is."""
        flat = in_order(self.network, x)
        if len(flat) == 1:
            return flat[0]
        for own, each in zip(self.network.inputs, flat, strict=True):
            _check_exact(own, each)
        return self.inputs_state.packed(flat)

    def unpacked_outputs(self, outputs):
        """Returns outputs of the head, structured as the model's."""
        flat = self.outputs_state.unpacked(outputs)
        if self.outputs_state.is_single or len(flat) == 1:
            return flat[0]
        return tree.pack_sequence_as(
            _keras_internals.outputs_structure(functional(self.network)), flat
        )

    @property
    def output_shapes(self):
        return list(self.outputs_state.shapes)

    @property
    def names_of_outputs(self):
        own: Any = functional(self.network)
        structure = _keras_internals.outputs_structure(own)
        if isinstance(structure, Mapping) and len(structure) == len(self.output_shapes):
            return sorted(structure)  # in the order in which Keras flattens them
        return list(own.output_names)

    def compute_output_shape(self, input_shape, **_):
        return (input_shape[0], *self.outputs_state.shape)

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        network.pop("compile_config", None)  # a custom loss may not be known elsewhere
        return {"name": self.name, "network": network, "choices": self.choices}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        register_all()
        network = keras.saving.deserialize_keras_object(config["network"])
        return unravel(network, **config["choices"], name=config["name"])


@checked
def unravel(
    model: Any,  # anything but a model is refused below, by its kind
    modules: Sequence[str | Callable] | Callable | None = None,
    boundaries: Iterable[str | Sequence[str]] | None = None,
    input_shape: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    *,
    example_inputs: Inputs | None = None,
    probabilities: bool | None = None,
    name: str | None = None,
) -> UnraveledChain:
    """Cuts the graph of a model where a branch is added back, and returns it as a chain.

    The chain runs the model's own layers: weights are shared, and the model is not changed. An
    activation that follows an addition alone, as the ReLU of the first ResNets, belongs to the
    module; layers between modules always run; tensors that are computed before a module and needed
    after it are carried along.

    Args:
        model: A functional or sequential model.
        modules: Layers that are modules by themselves: names, classes, or a function of a layer
            that returns whether it is one. A layer that is named has to keep the shape of what
            passes through it.
        boundaries: Additions to cut at, by the name of the layer; or, where its start or its skip
            is ambiguous, `(begin, end)` or `(begin, end, skip)`: names of the layers that
            output what enters the module, the sum, and the skip. None for as many modules as there
            are.
        input_shape: Shape of one input without batch, where its size is free; a dictionary by the
            name of the input for several.
        example_inputs: Two or more examples to compare chain and model on, in place of random ones.
        probabilities: Whether the output is probabilities, as after a softmax, and not logits; None
            to find out from the outputs.
        name: Name of the chain; the model's by default.

    Returns:
        The chain. It is called as the model is and returns what it returns; `summary()` prints its
        modules, `summary_table()` returns them, and `agreement` is the largest difference from the
        model on an example, as a share of the largest output.

    Raises:
        ValueError: The model's graph is not known or cannot be cut, with the layer and the reason;
            there is no layer of a name; chain and model do not agree; or what is output for an
            example depends on the others in its batch.

    Example:
        >>> import keras
        >>> from residual_ensembles import unravel
        >>> x = keras.Input((8,))
        >>> y = keras.layers.Dense(4, name="stem")(x)
        >>> for name in ("first", "second"):
        ...     y = keras.layers.Add(name=name)([y, keras.layers.Dense(4, activation="relu")(y)])
        >>> chain = unravel(keras.Model(x, keras.layers.Dense(3)(y)))
        >>> chain.summary_table()[["module", "name", "skip", "parameters"]]
           module    name      skip  parameters
        0       1   first  identity          20
        1       2  second  identity          20
    """
    graph = graph_of(model)
    _check_weights(model)
    examples = None if example_inputs is None else _examples(model, example_inputs)
    shapes = _input_shapes(graph, input_shape, examples)
    if examples is None:
        inputs = example.random_example(graph, shapes)
    else:
        check_numbers("example_inputs", examples)
        inputs = structured(model, examples)
    trace = example.run(graph, inputs)
    additions = Additions(graph, trace)
    search = Search(graph, additions, boundaries, modules)
    choices: dict[str, Any] = {
        "boundaries": search.boundaries,
        "modules": search.layers,
        "input_shape": shapes,
    }
    if probabilities is not None:
        choices["probabilities"] = bool(probabilities)
    partition = Partition(graph, search.chosen())
    chain = UnraveledChain(graph, partition, trace, choices, name or model.name)
    chain.notes = search.notes
    chain.agreement = _checked(chain, model, inputs)
    return chain


def _examples(model: keras.Model, example_inputs: Inputs) -> list[np.ndarray]:
    """Returns examples as arrays, in the order of the model's inputs."""
    flat = in_order(model, example_inputs, "example_inputs")
    if len(flat) != len(model.inputs):
        raise ValueError(
            f"Received example_inputs in one array, expected {len(model.inputs)} of them, one for "
            "each input of the model."
        )
    return [as_array("example_inputs", each) for each in flat]


def _input_shapes(graph: Graph, input_shape, examples) -> dict[str, list[int]]:
    if examples is not None:
        pairs = zip(graph.model.inputs, examples, strict=True)
        input_shape = {x.name: array.shape[1:] for x, array in pairs}
    return {x.name: list(example.shape_of_input(x, input_shape)) for x in graph.model.inputs}


def _checked(chain: UnraveledChain, model: keras.Model, inputs) -> float:
    """Returns the largest relative difference of chain and model, which must be rounding."""
    rounding = tolerance(chain.graph.dtypes)
    expected, result = (
        _arrays(model(inputs, training=False)),
        _arrays(chain(inputs, training=False)),
    )
    _check_finite(model, expected)
    largest = _difference(result, expected)
    if not largest <= rounding:
        raise ValueError(
            f"The chain of {model.name} differs from the model by {largest:.1e} of the largest "
            "output, expected float rounding. A layer that is random in inference, or that keeps a "
            "state from call to call, cannot be taken apart."
        )
    copies = tree.map_structure(lambda x: ops.repeat(x[:1], len(x), axis=0), inputs)
    if _difference(_arrays(model(copies, training=False)), [x[:1] for x in expected]) > rounding:
        raise ValueError(
            f"Received {model.name}, whose output for an example changes with the others in its "
            "batch, expected one that does not: lesions are evaluated in batches of any size. Look "
            "for a layer that takes statistics of the batch in inference too."
        )
    return largest


def _check_exact(own: keras.KerasTensor, values) -> None:
    """Refuses integers that are rounded where several inputs are packed into one tensor."""
    if not own.dtype.startswith(("int", "uint")) or not hasattr(values, "__array__"):
        return
    try:
        largest = np.abs(np.asarray(values)).max(initial=0)
    except (NotImplementedError, TypeError):  # within a graph, where there are no values
        return
    if largest > LARGEST_INTEGER:
        raise ValueError(
            f"Received {largest} in the input {own.name!r}, expected integers up to "
            f"{LARGEST_INTEGER}: several inputs are packed in float32, which rounds others. Take "
            "apart what follows their lookup, or number them from 0."
        )


def _arrays(outputs) -> list[np.ndarray]:
    return [ops.convert_to_numpy(ops.cast(x, "float32")) for x in tree.flatten(outputs)]


def _difference(arrays: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """Returns the largest difference of arrays, each as a share of its largest expected number."""
    largest = 0.0
    for one, other in zip(arrays, expected, strict=True):
        scale = max(float(np.abs(other).max()), float(np.finfo("float32").tiny))
        largest = max(largest, float(np.abs(one - other).max()) / scale)
    return largest


def _check_weights(model: keras.Model) -> None:
    """Refuses a model with NaN among its weights; infinity may be meant, as in a mask."""
    for weight in model.weights:
        if np.isnan(ops.convert_to_numpy(weight)).any():
            raise ValueError(
                f"Received {model.name}, whose weight {weight.path} holds NaN, expected numbers: "
                "load weights from before its training went wrong."
            )


def _check_finite(model: keras.Model, outputs: list[np.ndarray]) -> None:
    if not all(np.isfinite(each).all() for each in outputs):
        raise ValueError(
            f"Received {model.name}, which outputs NaN or infinity, expected numbers: say "
            "example_inputs=..., if it does so for random inputs in -1..1 alone."
        )


class _Parts:
    """Stem, modules, segments and head of a chain."""

    def __init__(self, graph: Graph, partition: Partition, trace: Trace):
        self.graph = graph
        self.partition = partition
        self.trace = trace
        self.input_states = [self._state(layout) for layout in partition.input_layouts]
        self.output_states = [self._state(layout) for layout in partition.output_layouts]
        self.inputs = self._state(Layout(graph.inputs[0], tuple(graph.inputs[1:])))
        self.outputs = self._state(Layout(graph.outputs[0], tuple(graph.outputs[1:])), flat=True)

    def _state(self, layout: Layout, flat: bool = False) -> State:
        tensors = (layout.stream, *layout.carried)
        common = [i for i, t in enumerate(tensors) if self.trace.shapes[t] is None]
        shapes = [self._shape(t, within=not flat and t != layout.stream) for t in tensors]
        dtypes = [self.trace.dtypes[t] for t in tensors]
        masks = [None if flat else self.trace.masks[t] for t in tensors]
        return State(shapes, dtypes, masks, common, flat)

    def _shape(self, tensor: int, within: bool) -> tuple:
        """Returns a shape without batch; the full shape of a tensor that all examples share."""
        shape = self.trace.shapes[tensor]
        if shape is not None:
            return shape
        if not within or not self._is_common(tensor):
            raise ValueError(
                f"Received a model in which {self.graph.name_of(tensor)} has no batch axis but "
                "is needed in several modules, expected one value for each example, or one "
                "that does not depend on them: make it within the layer that needs it."
            )
        return self.trace.common[tensor].shape

    def _is_common(self, tensor: int) -> bool:
        """Whether a tensor without batch is the same for other examples, too."""
        inputs = [
            ops.zeros((N_EXAMPLES, *self.trace.shapes[t]), self.trace.dtypes[t])
            for t in self.graph.inputs
        ]
        [result] = Program(self.graph, self.graph.inputs, [tensor])(inputs, training=False)
        return np.array_equal(ops.convert_to_numpy(result), self.trace.common[tensor])

    def stem(self) -> Stem:
        program = self._program(self.graph.inputs, self.partition.input_layouts[0])
        return Stem(program, self.inputs, self.input_states[0])

    def modules(self) -> list[GraphModule]:
        result = []
        for module, layout, before, after in zip(
            self.partition.modules,
            self.partition.input_layouts,
            self.input_states,
            self.output_states,
            strict=True,
        ):
            kind = LayerModule if module.skip is None else GraphModule
            axis = channel_axis(self.graph, self.trace.shapes, module)
            dtype = self.trace.dtypes[module.total]
            result.append(kind(self.graph, module, layout.carried, before, after, axis, dtype))
        return result

    def segments(self) -> list[Segment | None]:
        result = []
        for i in range(1, len(self.partition.modules)):
            before, after = self.partition.output_layouts[i - 1], self.partition.input_layouts[i]
            known = (before.stream, *before.carried)
            states = self.output_states[i - 1], self.input_states[i]
            result.append(
                Segment(self._program(known, after), *states)
                if self.partition.has_segment(i)
                else None
            )
        return result

    def head(self) -> Segment:
        last = self.partition.output_layouts[-1]
        program = Program(self.graph, (last.stream, *last.carried), self.graph.outputs)
        return Segment(program, self.output_states[-1], self.outputs)

    def _program(self, known: Sequence[int], layout: Layout) -> Program:
        return Program(self.graph, known, (layout.stream, *layout.carried))


def _are_probabilities(graph: Graph, trace: Trace) -> bool:
    """Whether the model's only output is probabilities, as of a softmax or a sigmoid.

    They are not negative, and those of an example add up to 1; or, for one number and for several
    that are independent, the operation that computes them never leaves 0..1, however large its
    input.
    """
    if len(trace.outputs) > 1:
        return False
    outputs = ops.convert_to_numpy(ops.cast(trace.outputs[0], "float32"))
    if outputs.ndim < 2 or not ((outputs >= 0) & (outputs <= 1 + SUM_TOLERANCE)).all():
        return False
    sums = outputs.sum(axis=-1)
    adds_up = outputs.shape[-1] > 1 and bool((np.abs(sums - 1) <= SUM_TOLERANCE).all())
    return adds_up or Probe(graph, trace).is_bounded_by_one(graph.outputs[0])
