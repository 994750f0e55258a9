"""Inputs packed into one array, and targets, from arrays or data sets."""

import keras
import numpy as np
from keras import tree

from residual_ensembles.arguments import shown
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.targets import as_array, check_numbers
from residual_ensembles.models.types import Inputs, Targets


def packed_examples(chain: Chain, inputs: Inputs) -> np.ndarray:
    """Returns inputs packed into one array, as lesions take them.

    Raises:
        ValueError: There are none, they have another shape, or hold NaN or infinity.
    """
    packed = as_array("inputs", chain.packed_inputs(inputs))
    check_shape(chain, packed)
    check_numbers("inputs", packed)
    return packed


def as_arrays(
    chain: Chain, inputs: Inputs, targets: Targets | None = None
) -> tuple[Inputs, Targets | None]:
    """Returns inputs and targets, of a data set as arrays.

    Args:
        chain: The network, whose input shapes tell batches from single examples.
        inputs: Inputs as its model takes them; or a `tf.data.Dataset` or `keras.utils.PyDataset`,
            of batches or of single examples, of inputs alone or of inputs and targets.
        targets: Targets; None for those of the data set.

    Raises:
        ValueError: The data set is empty, has no end, or has weights of examples.
    """
    is_py_dataset = isinstance(inputs, keras.utils.PyDataset)
    if not is_py_dataset and not hasattr(inputs, "element_spec"):
        return inputs, targets
    if (inputs.num_batches is None) if is_py_dataset else (int(inputs.cardinality()) == -1):
        raise ValueError(
            "Received a data set that is repeated without end, expected one pass: take(n)."
        )
    batches = map(inputs.__getitem__, range(inputs.num_batches)) if is_py_dataset else iter(inputs)
    elements = [tree.map_structure(np.asarray, batch) for batch in batches]
    if not elements:
        raise ValueError("Received an empty data set, expected one or more examples.")
    n_parts = len(elements[0]) if isinstance(elements[0], tuple) else 1
    if n_parts > 2:
        raise ValueError(
            f"Received a data set of {n_parts} parts, expected inputs and targets, in which each "
            "example counts once: leave its sample weights out."
        )
    has_targets = n_parts == 2
    x, y = zip(*((e[0], e[1]) if has_targets else (e, None) for e in elements), strict=True)
    alone = [each[0] if isinstance(each, tuple) and len(each) == 1 else each for each in x]
    is_single = tree.flatten(alone[0])[0].ndim == len(chain.input_shapes[0])
    joined = np.stack if is_single else np.concatenate
    result = tree.map_structure(lambda *arrays: joined(arrays), *alone)
    if targets is None and has_targets:
        targets = tree.map_structure(lambda *arrays: joined(arrays), *y)
    return result, targets


def check_shape(chain: Chain, packed, name: str = "inputs") -> None:
    """Refuses packed inputs that are not `(n, ...)` with the network's input shape and n above 0.

    Inputs that have no shape before they are read are not checked.
    """
    is_plain = isinstance(packed, str | bytes | list | tuple | dict)
    if is_plain or not hasattr(packed, "__getitem__"):
        raise TypeError(f"Received {name}={shown(packed)}, expected an array.")
    expected = tuple(chain.image_shape)
    shape = tuple(packed.shape if hasattr(packed, "shape") else (len(packed), *expected))
    if not shape or shape[1:] != expected or not shape[0]:
        raise ValueError(
            f"Received {name} of shape {shape}, expected one or more of {expected} each: "
            f"(n, {', '.join(map(str, expected))})."
        )
