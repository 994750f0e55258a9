"""Inputs of a model, and examples to run it on: for the shapes, and to check its chain."""

from collections.abc import Mapping
from typing import NamedTuple

import keras
from keras import ops, tree

from residual_ensembles.models import _keras_internals
from residual_ensembles.models.types import Inputs
from residual_ensembles.statistics.randomness import generator
from residual_ensembles.unraveling.graph import Graph, functional

N_EXAMPLES = 2
N_TOKENS = 2
"""Number of values of an integer input without an embedding: 0 and 1, which tokens, classes and
masks all have."""


class Trace(NamedTuple):
    """Shapes, types and values seen in one run of a model."""

    shapes: list
    """Shape of each tensor without batch, or None where there is no batch."""
    dtypes: list[str]
    masks: list
    """Shape of the Keras mask of each tensor, without batch, or None."""
    common: dict
    """Values of the tensors without batch, by number."""
    outputs: list
    """Outputs of the model, in one list."""
    equal: set
    """Tensors, by number, that are the same for all examples of the run."""


def random_example(graph: Graph, shapes=None):
    """Returns seeded random inputs, structured as the model takes them."""
    random = generator(0, "example")
    result = []
    for tensor, x in zip(graph.inputs, graph.model.inputs, strict=True):
        shape = shape_of_input(x, shapes)
        if x.dtype.startswith(("float", "bfloat")):
            array = random.uniform(-1.0, 1.0, (N_EXAMPLES, *shape)).astype("float32")
        else:
            largest = _vocabulary(graph, tensor)
            array = random.integers(0, largest, (N_EXAMPLES, *shape))
        result.append(ops.cast(array, x.dtype))
    return structured(graph.model, result)


def shape_of_input(x: keras.KerasTensor, shapes=None) -> tuple[int, ...]:
    """Returns the shape of an input without batch, with free sizes filled in from `shapes`.

    These are one shape, or shapes by the name of the input.
    """
    if x.dtype == "string":
        raise ValueError(
            f"Received a model whose input {x.name!r} is text, expected numbers: take apart what "
            "follows its tokens, keras.Model(tokens, outputs)."
        )
    shape = shapes.get(x.name) if isinstance(shapes, Mapping) else shapes
    shape = tuple(x.shape[1:] if shape is None else shape)
    fits = len(shape) == len(x.shape) - 1 and all(
        own in (None, size) for own, size in zip(x.shape[1:], shape, strict=False)
    )
    if not fits:
        raise ValueError(
            f"Received the shape {shape} for the input {x.name!r}, expected one that is "
            f"{tuple(x.shape[1:])}, where None is any size: see input_shape and example_inputs."
        )
    if None in shape:
        raise ValueError(
            f"Received no size for the input {x.name!r} of shape {shape}, expected integers: "
            f"say for instance input_shape={tuple(size or 32 for size in shape)}."
        )
    return shape


def _vocabulary(graph: Graph, tensor: int) -> int:
    """Returns the number of values of an integer input, by the embedding that it goes into."""
    sizes = [
        node.operation.input_dim
        for node in graph.nodes
        if tensor in node.inputs and isinstance(node.operation, keras.layers.Embedding)
    ]
    return min(sizes, default=N_TOKENS)


def run(graph: Graph, inputs: Inputs) -> Trace:
    """Runs all nodes of a graph once, and returns the trace."""
    tensors = [
        ops.cast(x, graph.dtypes[number])
        for x, number in zip(in_order(graph.model, inputs), graph.inputs, strict=True)
    ]
    batch = len(tensors[0])
    values = dict(zip(graph.inputs, tensors, strict=True))
    trace = Trace([None] * len(graph.producers), list(graph.dtypes), [], {}, [], set())
    trace.masks.extend(trace.shapes)
    last_use = {ref: node for node in graph.nodes for ref in node.inputs}
    for number, tensor in values.items():
        _note(trace, number, tensor, True)
    for node in graph.nodes:
        node.call(values, training=False)
        for number in node.outputs:
            has_batch = values[number].shape[:1] == (batch,) and number not in graph.common
            _note(trace, number, values[number], has_batch)
        for number in node.inputs:  # frees what is not needed any more
            if last_use[number] is node and number not in graph.outputs:
                values.pop(number, None)
    trace.outputs.extend(values[number] for number in graph.outputs)
    return trace


def _note(trace: Trace, number: int, tensor, has_batch: bool) -> None:
    trace.dtypes[number] = keras.backend.standardize_dtype(tensor.dtype)
    if has_batch:
        trace.shapes[number] = tuple(tensor.shape[1:])
        if bool(ops.all(tensor == tensor[:1])):
            trace.equal.add(number)
    else:
        trace.common[number] = ops.convert_to_numpy(tensor)
    mask = _keras_internals.get_mask(tensor)
    trace.masks[number] = None if mask is None else tuple(mask.shape[1:])


def structured(model, flat: list):
    """Returns flat inputs as a model takes them: one alone, a list, or a dictionary."""
    structure = _structure(model)
    if structure is None or (len(flat) == 1 and not isinstance(structure, Mapping)):
        return flat[0]
    return tree.pack_sequence_as(structure, flat)


def in_order(model, x: Inputs, name: str = "inputs") -> list:
    """Returns inputs as a list, in the order of the model's.

    Args:
        model: A functional or sequential model.
        x: Inputs as the model takes them, or in a dictionary by the names of the inputs, or all of
            them packed into one array.
        name: Name of the inputs in errors.

    Raises:
        ValueError: Names or number are not those of the model's inputs.
    """
    names, structure = [own.name for own in model.inputs], _structure(model)
    if isinstance(x, Mapping):
        if isinstance(structure, Mapping) and set(structure) <= set(x):
            return tree.flatten({key: x[key] for key in structure})
        if not set(names) <= set(x):
            raise ValueError(
                f"Received {name} named {', '.join(map(str, x))}, expected {', '.join(names)}."
            )
        return [x[name] for name in names]
    is_several = isinstance(x, list | tuple) and all(hasattr(each, "shape") for each in x)
    flat = tree.flatten(x) if is_several else [x]
    packed = len(flat) == 1 and not is_several
    if len(flat) != len(names) and not packed:
        raise ValueError(f"Received {len(flat)} {name}, expected {len(names)}: {', '.join(names)}.")
    return flat


def _structure(model):
    own = functional(model)
    return None if own is None else _keras_internals.inputs_structure(own)
