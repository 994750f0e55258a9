"""One example that a model is run with: it tells all shapes, and holds a chain to its model."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
from keras import ops

from residual_ensembles.statistics.randomness import generator
from residual_ensembles.unraveling.graph import Graph
from residual_ensembles.unraveling.inputs import in_order, structured

EXAMPLES = 2
TOKENS = 2
"""Whole numbers are 0 or 1 where nothing is known of them: token, class or mask, these exist."""


class Trace(NamedTuple):
    """Shapes, types and values seen in one run of a model."""

    shapes: list
    """Shape of each tensor without batch, or None where there is no batch."""
    dtypes: list[str]
    masks: list
    """Shape of the Keras mask of each tensor, without batch, or None."""
    common: dict
    """What has no batch, by the number of the tensor."""
    outputs: list
    """What the model outputs, flat."""


def random_example(graph: Graph, shapes=None, seed: int = 0):
    """Returns random inputs, structured as the model takes them.

    Args:
        graph: Graph of the model.
        shapes: For an input whose size is free, its shape without batch: one shape, or one by name
            of the input.
        seed: Seed of the numbers.

    Raises:
        ValueError: A size is free and was not given.
    """
    random = generator(seed, "example")
    result = []
    for tensor, x in zip(graph.inputs, graph.model.inputs, strict=True):
        shape = shape_of_input(x, shapes)
        if x.dtype.startswith(("float", "bfloat")):
            array = random.uniform(-1.0, 1.0, (EXAMPLES, *shape)).astype("float32")
        else:
            largest = _vocabulary(graph, tensor)
            array = random.integers(0, largest, (EXAMPLES, *shape))
        result.append(ops.cast(array, x.dtype))
    return structured(graph.model, result)


def shape_of_input(x: Any, shapes=None) -> tuple[int, ...]:
    """Returns the shape of an input without batch, with free sizes filled in.

    Raises:
        ValueError: A size is free and was not given, the input has another one, or is text.
    """
    if x.dtype == "string":
        raise ValueError(
            f"Received a model whose input {x.name!r} is text, expected numbers: take apart what "
            "follows its tokens, keras.Model(tokens, outputs)."
        )
    given = shapes.get(x.name) if isinstance(shapes, Mapping) else shapes
    shape = tuple(x.shape[1:]) if given is None else tuple(given)
    fits = len(shape) == len(x.shape) - 1 and all(
        own in (None, size) for own, size in zip(x.shape[1:], shape, strict=False)
    )
    if not fits:
        raise ValueError(
            f"Received the shape {shape} for the input {x.name!r}, expected one that is "
            f"{tuple(x.shape[1:])}: None is any size."
        )
    if None in shape:
        raise ValueError(
            f"Received no size for the input {x.name!r} of shape {shape}, expected integers: "
            f"say for instance input_shape={tuple(size or 32 for size in shape)}."
        )
    return shape


def _vocabulary(graph: Graph, tensor: int) -> int:
    """Returns how many integers an input may be: an embedding knows, nothing else does."""
    sizes = [
        node.operation.input_dim
        for node in graph.nodes
        if tensor in node.inputs and isinstance(node.operation, keras.layers.Embedding)
    ]
    return min(sizes, default=TOKENS)


def run(graph: Graph, inputs: Any) -> Trace:
    """Runs all nodes of a graph once and notes what passes.

    Args:
        graph: The graph.
        inputs: As its model takes them.
    """
    tensors = [
        ops.cast(x, graph.dtypes[number])
        for x, number in zip(in_order(graph.model, inputs), graph.inputs, strict=True)
    ]
    batch = len(tensors[0])
    values = dict(zip(graph.inputs, tensors, strict=True))
    trace = Trace([None] * len(graph.producers), list(graph.dtypes), [], {}, [])
    trace.masks.extend(trace.shapes)
    last_use = {ref: node for node in graph.nodes for ref in node.inputs}
    for number, tensor in values.items():
        _note(trace, number, tensor, True)
    for node in graph.nodes:
        node.call(values, training=False)
        for number in node.outputs:
            has_batch = values[number].shape[:1] == (batch,) and number not in graph.common
            _note(trace, number, values[number], has_batch)
        for number in node.inputs:  # what is not needed any more is not kept
            if last_use[number] is node and number not in graph.outputs:
                values.pop(number, None)
    trace.outputs.extend(values[number] for number in graph.outputs)
    return trace


def _note(trace: Trace, number: int, tensor, has_batch: bool) -> None:
    trace.dtypes[number] = keras.backend.standardize_dtype(tensor.dtype)
    if has_batch:
        trace.shapes[number] = tuple(tensor.shape[1:])
    else:
        trace.common[number] = ops.convert_to_numpy(tensor)
    mask = keras.src.backend.get_keras_mask(tensor)
    trace.masks[number] = None if mask is None else tuple(mask.shape[1:])
