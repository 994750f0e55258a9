"""Takes any functional Keras model apart into modules."""

from collections.abc import Callable, Iterable, Sequence

import keras
import numpy as np
from keras import ops, tree

from residual_ensembles.unraveling import example
from residual_ensembles.unraveling.additions import Additions
from residual_ensembles.unraveling.chain import UnraveledChain
from residual_ensembles.unraveling.cut import Cut
from residual_ensembles.unraveling.graph import Graph, graph_of
from residual_ensembles.unraveling.inputs import in_order, structured
from residual_ensembles.unraveling.search import Search

LARGEST_DIFFERENCE = {"float32": 1e-4, "bfloat16": 0.1, "float16": 0.02}
"""Between model and chain, as a share of the largest output, by the least type computed in."""


def unravel(
    model: keras.Model,
    *,
    boundaries: Iterable | None = None,
    modules: Sequence | Callable | None = None,
    input_shape=None,
    example_inputs=None,
    probabilities: bool | None = None,
    name: str | None = None,
) -> UnraveledChain:
    """Cuts the graph of a model where a branch is added back, and returns it as a chain.

    The chain runs the model's own layers: weights are shared, and the model is not changed. What
    follows an addition alone, as the ReLU of the first ResNets, belongs to the module; what lies
    between modules runs always; what is made before a module and needed after it travels along.

    Args:
        model: A functional or sequential model.
        boundaries: The additions to cut at, by the name of the layer, where others would be taken;
            or, for one that can be read in more than one way, `(begin, end)` or `(begin, end,
            skip)`: names of the layers that put out what enters the module, the sum, and the branch
            that stays. None for as many modules as there are.
        modules: Layers that are modules by themselves: names, classes, or a function of a layer. A
            layer that is named has to keep the shape of what passes through it.
        input_shape: Shape of one input without batch, where its size is free; a dictionary by the
            name of the input for several.
        example_inputs: Two or more inputs to compare chain and model with, in place of random ones.
        probabilities: Whether the output is probabilities, as after a softmax, and not logits; None
            to ask the outputs.
        name: Of the chain; the model's by default.

    Raises:
        ValueError: The model's graph is not known or cannot be cut, with the layer and the reason;
            a name is not there; or chain and model do not agree.

    Example:
        >>> chain = unravel(keras.applications.ResNet50V2(weights=None))  # doctest: +SKIP
        >>> len(chain.modules)  # doctest: +SKIP
        16
    """
    graph = graph_of(model)
    _check_weights(model)
    shapes = _input_shapes(graph, input_shape, example_inputs)
    if example_inputs is None:
        inputs = example.random_example(graph, shapes)
    else:
        inputs = structured(model, in_order(model, example_inputs))
    trace = example.run(graph, inputs)
    additions = Additions(graph, trace)
    search = Search(graph, additions, boundaries, modules)
    choices = {"boundaries": search.boundaries, "modules": search.layers, "input_shape": shapes}
    if probabilities is not None:
        choices["probabilities"] = bool(probabilities)
    cut = Cut(graph, search.chosen())
    chain = UnraveledChain(graph, cut, trace, choices, name or model.name)
    chain.notes = search.notes
    chain.agreement = _checked(chain, model, inputs)
    return chain


def _input_shapes(graph: Graph, input_shape, example_inputs) -> dict[str, tuple]:
    if example_inputs is not None:
        arrays = zip(graph.model.inputs, in_order(graph.model, example_inputs), strict=True)
        input_shape = {x.name: tuple(np.shape(array)[1:]) for x, array in arrays}
    return {x.name: list(example.shape_of_input(x, input_shape)) for x in graph.model.inputs}


def _checked(chain: UnraveledChain, model: keras.Model, inputs) -> float:
    """Returns the largest relative difference of chain and model.

    Raises:
        ValueError: It is larger than rounding.
    """
    expected, found = (
        [ops.convert_to_numpy(ops.cast(x, "float32")) for x in tree.flatten(made)]
        for made in (model(inputs, training=False), chain(inputs, training=False))
    )
    _check_finite(model, expected)
    largest = 0.0
    for one, other in zip(found, expected, strict=True):
        scale = max(float(np.abs(other).max()), float(np.finfo("float32").tiny))
        largest = max(largest, float(np.abs(one - other).max()) / scale)
    if not largest <= allowed_difference(chain.graph.dtypes):
        raise ValueError(
            f"The chain of {model.name} differs from the model by {largest:.1e} of the largest "
            "output, expected float rounding. A layer that is random in inference, or that keeps a "
            "state from call to call, cannot be taken apart."
        )
    return largest


def allowed_difference(dtypes: Iterable[str]) -> float:
    """Returns the largest difference that is rounding, as a share of the largest output.

    Args:
        dtypes: All types that something is computed in.
    """
    return max(LARGEST_DIFFERENCE.get(dtype, 0.0) for dtype in ("float32", *dtypes))


def _check_weights(model: keras.Model) -> None:
    """Refuses a model that has NaN among its weights: what it answers is nobody's answer.

    Raises:
        ValueError: It has, with the first of them. Infinity may be meant, as in a mask.
    """
    for weight in model.weights:
        if np.isnan(ops.convert_to_numpy(weight)).any():
            raise ValueError(
                f"Received {model.name}, whose weight {weight.path} holds NaN, expected numbers: "
                "load weights from before its training went wrong."
            )


def _check_finite(model: keras.Model, outputs: list[np.ndarray]) -> None:
    """Refuses a model that puts out what is no number.

    Raises:
        ValueError: It does.
    """
    if not all(np.isfinite(each).all() for each in outputs):
        raise ValueError(
            f"Received {model.name}, which puts out NaN or infinity, expected numbers: say "
            "example_inputs=..., if it does so for random inputs in -1..1 alone."
        )
