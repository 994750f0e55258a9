"""The flat graph of a Keras model: nested models are entered, and every call is a node."""

import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import ops, tree

from residual_ensembles.arguments import shown
from residual_ensembles.models import _keras_internals
from residual_ensembles.models._keras_internals import Functional
from residual_ensembles.models.types import Compilation


@dataclass(frozen=True)
class Ref:
    """Placeholder of a tensor in the arguments of a call."""

    tensor: int


@dataclass(frozen=True, eq=False)
class Node:
    """One call of a layer or an operation."""

    operation: Callable
    arguments: tuple
    """Positional and named arguments, with a `Ref` for each tensor."""
    outputs: tuple[int, ...]
    """Numbers of the output tensors."""
    name: str
    """Address of the layer, such as `backbone/conv1`."""

    @property
    def inputs(self) -> list[int]:
        """Numbers of the input tensors."""
        return [leaf.tensor for leaf in tree.flatten(self.arguments) if isinstance(leaf, Ref)]

    @property
    def first(self) -> int | None:
        """Number of the main input, the first tensor in the order of the signature, or None.

        Layers may be called with keyword arguments alone, in any order.
        """
        args, kwargs = self.arguments
        if kwargs and hasattr(self.operation, "call"):
            order = list(inspect.signature(self.operation.call).parameters)
            named = sorted(kwargs, key=lambda n: order.index(n) if n in order else len(order))
            kwargs = [kwargs[name] for name in named]
        refs = (leaf for leaf in tree.flatten([args, kwargs]) if isinstance(leaf, Ref))
        return next((ref.tensor for ref in refs), None)

    @property
    def variables(self) -> list:
        """The variables of the layer; [] for an operation without any."""
        return list(getattr(self.operation, "variables", ()))

    @property
    def weights(self) -> list:
        """The variables that are parameters or statistics, and not random states."""
        return list(getattr(self.operation, "weights", ()))

    def call(
        self,
        values: dict,
        training: bool | None,
        operation: Callable | None = None,
        replacement: Callable[[int], int] = lambda tensor: tensor,
    ) -> None:
        """Calls the layer, or `operation` in its place, and adds its outputs to `values`."""
        args, kwargs = tree.map_structure(
            lambda leaf: values[replacement(leaf.tensor)] if isinstance(leaf, Ref) else leaf,
            self.arguments,
        )
        if training is not None and _keras_internals.takes_training(self.operation):
            kwargs = {**kwargs, "training": training}
        outputs = (operation or self.operation)(*args, **kwargs)
        values.update(zip(self.outputs, tree.flatten(outputs), strict=True))


class CastTo:
    """Casts an input of a nested model to the type that it declares."""

    def __init__(self, dtype: str):
        self.dtype = dtype

    def __call__(self, x):
        return ops.cast(x, self.dtype)


@dataclass(eq=False)
class Graph:
    """Nodes in an order in which they can be computed, and tensors by number."""

    model: keras.Model
    nodes: list[Node] = field(default_factory=list)
    producers: list[Node | None] = field(default_factory=list)
    """For each tensor, the node whose output it is; None for an input of the model."""
    dtypes: list[str] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    common: set[int] = field(default_factory=set)
    """Tensors without batch, as far as the model declares it, such as a table or a number."""

    def new_tensor(self, dtype: str) -> int:
        """Adds a tensor, as of an input, and returns its number."""
        self.producers.append(None)
        self.dtypes.append(keras.backend.standardize_dtype(dtype))
        return len(self.producers) - 1

    def add(self, operation: Callable, arguments: tuple, dtypes: Sequence[str], name: str) -> Node:
        """Appends a node and returns it."""
        outputs = tuple(self.new_tensor(dtype) for dtype in dtypes)
        taken = sum(node.operation is operation for node in self.nodes)
        node = Node(operation, arguments, outputs, f"{name}:{taken + 1}" if taken else name)
        for tensor in outputs:
            self.producers[tensor] = node
        self.nodes.append(node)
        return node

    def name_of(self, tensor: int) -> str:
        """Returns the display name of a tensor: that of the layer whose output it is."""
        producer = self.producers[tensor]
        if producer is not None:
            return producer.name
        return self.model.inputs[self.inputs.index(tensor)].name

    def consumers(self) -> list[list[Node]]:
        """Returns for each tensor the nodes that it goes into."""
        result: list[list[Node]] = [[] for _ in self.producers]
        for node in self.nodes:
            for tensor in set(node.inputs):
                result[tensor].append(node)
        return result

    def ancestors(self) -> list[int]:
        """Returns for each tensor the set of those that it depends on, with itself, as bits."""
        result = [1 << tensor for tensor in range(len(self.producers))]
        for node in self.nodes:
            before = 0
            for tensor in node.inputs:
                before |= result[tensor]
            for tensor in node.outputs:
                result[tensor] |= before
        return result


def members(bits: int) -> Iterator[int]:
    """Yields the numbers in a set of bits, ascending."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def functional(layer: Any) -> Functional | None:
    """Returns the functional model that a layer is, or None where its graph is not known."""
    if isinstance(layer, keras.Sequential):
        is_plain = type(layer).call is keras.Sequential.call
        return _keras_internals.functional_of(layer) if is_plain else None
    return layer if isinstance(layer, Functional) and type(layer).call is Functional.call else None


def compilation_of(model: keras.Model) -> Compilation:
    """Returns the loss and the metrics that a model was compiled with."""
    if not model.compiled:
        return Compilation()
    config = _keras_internals.compile_config(model)
    metrics = config.get("metrics") or ()
    is_plain = isinstance(metrics, list | tuple) and len(model.outputs) == 1
    is_plain = is_plain and not any(isinstance(each, list | tuple | dict) for each in metrics)
    return Compilation(
        config.get("loss"), config.get("loss_weights"), tuple(metrics) if is_plain else ()
    )


def layers_within(layer: Any) -> list[keras.layers.Layer]:
    """Returns a layer and those in it, in the same order for a copy; [] for an operation."""
    return _keras_internals.flat_layers(layer) if isinstance(layer, keras.layers.Layer) else []


def graph_of(model: keras.Model) -> Graph:
    """Returns the flat graph of a functional or sequential model; the model is not changed.

    Raises:
        ValueError: The graph is not known, the model is not built or of Keras 2, or a layer keeps a
            state from call to call.
    """
    inner = functional(model) if isinstance(model, keras.Model) else None
    if inner is None and _is_of_keras_2(model):
        raise ValueError(
            f"Received a {type(model).__name__} of Keras 2 ({type(model).__module__}), expected "
            "one of Keras 3: save it there, model.save('model.h5'), and load it here, "
            "keras.models.load_model('model.h5')."
        )
    if isinstance(model, str | os.PathLike):
        raise ValueError(
            f"Received the path {shown(os.fspath(model))}, expected a Keras model: "
            "residual_ensembles.unraveling.load(path) takes the one in a file apart."
        )
    if inner is None:
        held = [layer.name for layer in layers_within(model) if functional(layer) is not None]
        if held:
            hint = f"take apart the model {held[0]}, which is one of its layers"
        else:
            verb = "build it first" if isinstance(model, keras.Sequential) else "make it functional"
            hint = f"{verb}, for instance with keras.Model(inputs, outputs)"
        raise ValueError(
            f"Received a {type(model).__name__}, expected a functional or sequential Keras model "
            f"whose graph is known: {hint}."
        )
    graph = Graph(model)
    graph.inputs = [graph.new_tensor(x.dtype) for x in inner.inputs]
    graph.outputs = _enter(graph, inner, graph.inputs, "")
    _check_stateless(graph)
    return graph


KERAS_2 = ("tf_keras.", "tensorflow.python.keras.", "keras.engine.", "keras.src.engine.")
"""Modules of the classes of Keras 2: in its own package, within TensorFlow, and before that."""


def _is_of_keras_2(model) -> bool:
    return any(f"{base.__module__}.".startswith(KERAS_2) for base in type(model).__mro__)


def _check_stateless(graph: Graph) -> None:
    for node in graph.nodes:
        for layer in layers_within(node.operation):
            if isinstance(layer, keras.layers.RNN) and layer.stateful:
                raise ValueError(
                    f"Received {graph.model.name}, whose layer {node.name} is stateful: its output "
                    "depends on the batches before, which lesions take in any order. Build it with "
                    "stateful=False."
                )


def _enter(graph: Graph, model: Functional, entering: Sequence[int], prefix: str) -> list[int]:
    """Adds the nodes of a model to the graph and returns the numbers of its outputs."""
    known: dict[int, int] = {}
    for x, tensor in zip(model.inputs, entering, strict=True):
        if keras.backend.standardize_dtype(x.dtype) != graph.dtypes[tensor]:
            cast = graph.add(CastTo(x.dtype), ((Ref(tensor),), {}), [x.dtype], f"{prefix}{x.name}")
            tensor = cast.outputs[0]
        known[id(x)] = tensor
    nodes = _keras_internals.nodes_by_depth(model)
    for depth in sorted(nodes, reverse=True):
        for node in nodes[depth]:
            is_call = node.operation is not None and not node.is_input
            if is_call and id(node.outputs[0]) not in known:
                _add(graph, node, known, prefix)
    return [known[id(x)] for x in model.outputs]


def _add(graph: Graph, node, known: dict[int, int], prefix: str) -> None:
    """Adds a node of a model, or all nodes of the model that it calls."""

    def numbered(leaf):
        return Ref(known[id(leaf)]) if isinstance(leaf, keras.KerasTensor) else leaf

    arguments = tree.map_structure(numbered, (node.arguments.args, node.arguments.kwargs))
    name = f"{prefix}{node.operation.name}"
    inner = functional(node.operation)
    refs = [leaf for leaf in tree.flatten(arguments[0]) if isinstance(leaf, Ref)]
    named = [leaf for leaf in tree.flatten(arguments[1]) if isinstance(leaf, Ref)]
    if inner is not None and len(refs) == len(inner.inputs) and not named:
        outputs: Sequence[int] = _enter(graph, inner, [ref.tensor for ref in refs], f"{name}/")
    else:
        dtypes = [x.dtype for x in node.outputs]
        outputs = graph.add(node.operation, arguments, dtypes, name).outputs
        batch = graph.model.inputs[0].shape[0]
        sizes = [(*x.shape[:1], -1)[0] for x in node.outputs]  # of a number alone, -1
        own = zip(outputs, sizes, strict=True)
        graph.common.update(tensor for tensor, size in own if size not in (None, batch))
    known.update(zip(map(id, node.outputs), outputs, strict=True))
