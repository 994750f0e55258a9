"""Targets of a network: classes, or arrays of numbers."""

from collections.abc import Callable

import numpy as np
from keras import ops, tree

from residual_ensembles.models.chain import Chain
from residual_ensembles.models.types import Inputs, Targets

N_TRIED = 2
"""Number of targets that a loss or metric is tried on."""
ALTERNATIVE = "metric=..., for instance metric='binary_accuracy' or 'mean_squared_error'"


def class_labels(
    chain: Chain,
    targets: Targets,
    n: int,
    alternative: str = ALTERNATIVE,
    classes: int | None = None,
) -> np.ndarray:
    """Returns targets as class numbers, integers `(n,)`.

    Args:
        chain: The network.
        targets: Class of each example, `(n,)` or `(n, 1)`, integers or integer-valued floats; or
            one-hot, `(n, classes)`.
        n: Number of examples.
        alternative: Argument that errors suggest for other targets.
        classes: Number of classes; None for that of the network's outputs.

    Raises:
        ValueError: The targets are not classes, or the network is not a classifier.
    """
    labels: np.ndarray = as_array("targets", targets)
    classes = classes or n_classes(chain)
    is_number = labels.dtype.kind in "biuf"
    if is_number and labels.ndim == 2 and classes and labels.shape[1] == classes > 1:
        labels = _of_one_hot(labels, alternative)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (n,) or not is_number or classes is None:
        raise ValueError(
            f"Received targets of shape {labels.shape} and type {labels.dtype} for {n} inputs and "
            f"outputs of shape {chain.output_shapes}, expected one integer for each input and "
            f"one number for each of two or more classes. For anything else say {alternative}."
        )
    broken = np.flatnonzero(labels != np.floor(labels))
    if len(broken):
        raise ValueError(
            f"Received {labels[broken[0]]} as the class label of example {broken[0]}, expected an "
            f"integer. For anything else say {alternative}."
        )
    if n and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(
            f"Received class labels from {labels.min():g} to {labels.max():g}, expected 0 to "
            f"{classes - 1}: the network has {classes} classes."
        )
    return labels if labels.dtype.kind in "iu" else labels.astype(int)


def _of_one_hot(rows: np.ndarray, alternative: str) -> np.ndarray:
    one_hot = ((rows == 0) | (rows == 1)).all(axis=1) & (rows.sum(axis=1) == 1)
    if not one_hot.all():
        raise ValueError(
            f"Received targets of shape {rows.shape} whose row {one_hot.argmin()} is not one-hot, "
            f"expected a single 1 in each and zeros beside it. For anything else say {alternative}."
        )
    return rows.argmax(axis=1)


def check_numbers(name: str, arrays: Inputs | Targets, n: int | None = None) -> None:
    """Refuses arrays that are not numbers, hold NaN or infinity, or are not `n` long."""
    for each in map(np.asarray, tree.flatten(arrays)):
        if n is not None and each.shape[:1] != (n,):
            raise ValueError(
                f"Received {name} of shape {each.shape} for {n} inputs, expected one for each."
            )
        if each.dtype.kind in "OSUM":
            raise ValueError(f"Received {name} of type {each.dtype}, expected numbers.")
        first = first_not_finite(each)
        if first is not None:
            raise ValueError(
                f"Received {name} that are NaN or infinite, the first in example {first} (counted "
                "from 0), expected numbers: leave such examples out, or fill them in."
            )


def check_comparable(chain: Chain, name: str, value: Callable, targets: Targets) -> np.ndarray:
    """Refuses targets that a loss or metric cannot compare with outputs, or only by broadcasting.

    Returns its value for some of the targets and made-up outputs.
    """
    some = tree.map_structure(lambda x: np.asarray(x)[:N_TRIED], targets)
    n, shapes = len(tree.flatten(some)[0]), chain.output_shapes
    numbers = chain.compute_output_shape((None, *chain.image_shape))[-1]
    try:
        result = np.asarray(value(some, chain.unpacked_outputs(ops.full((n, numbers), 0.5))))
    except Exception as error:  # of any type, from a custom loss or metric
        received = ", ".join(str(np.shape(x)) for x in tree.flatten(targets))
        raise ValueError(
            f"Received targets of shape {received}, which {name} cannot compare with outputs of "
            f"shape {shapes}: {str(error).splitlines()[0]}"
        ) from error
    if len(shapes) == 1 and not result.ndim:
        _check_not_broadcast(name, value, targets, tuple(shapes[0]))
    return result


def _check_not_broadcast(
    name: str, value: Callable, targets: Targets, shape: tuple[int, ...]
) -> None:
    """Refuses targets that a loss or metric compares with outputs only by broadcasting.

    That is tried: its value is the same where the shorter of the two is repeated beforehand. A loss
    of class labels, which have a shape of their own, takes no others.
    """
    if len(tree.flatten(targets)) != 1 or not hasattr(targets, "shape"):
        return
    n = next(size for size in range(2, 99) if size not in shape)  # equal to no other axis
    some = np.asarray(targets)[np.arange(n) % len(targets)]
    made = np.random.default_rng(0).uniform(0.1, 0.9, (n, *shape)).astype("float32")
    own = some[..., None] if some.ndim == made.ndim - 1 else some
    if own.shape == made.shape or own.ndim != made.ndim:
        return
    try:
        both = np.broadcast_shapes(own.shape, made.shape)
        repeated = value(np.broadcast_to(own, both), np.broadcast_to(made, both))
        original = value(some, made)
    except Exception:  # of any type, as above: then it does not broadcast
        return
    if np.allclose(repeated, original, rtol=1e-5):
        raise ValueError(
            f"Received targets of shape {np.shape(targets)} for outputs of shape "
            f"(n, {', '.join(map(str, shape))}), which {name} compares only by repeating one of "
            "them, expected targets of the shape of the outputs."
        )


def n_classes(chain: Chain) -> int | None:
    """Returns the number of classes that the network outputs; None if it is not a classifier."""
    shapes = chain.output_shapes
    return shapes[0][0] if len(shapes) == 1 and len(shapes[0]) == 1 and shapes[0][0] > 1 else None


def is_binary(chain: Chain, targets: Targets) -> bool:
    """Whether the only output is that of the second of two classes: targets are 0 and 1."""
    if [tuple(shape) for shape in chain.output_shapes] != [(1,)]:
        return False
    values = as_array("targets", targets)
    return values.dtype.kind in "biuf" and bool(((values == 0) | (values == 1)).all())


def as_array(name: str, values: Inputs | Targets) -> np.ndarray:
    """Returns numbers as an array, whose rows must have one length."""
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"Received {name} of which not all rows have one length, expected an array of numbers, "
            "a row for each example."
        ) from error


def first_not_finite(array: np.ndarray) -> int | None:
    """Returns the first row of an array that holds NaN or infinity; None where none does."""
    if array.dtype.kind in "biu" or not array.size:
        return None
    with np.errstate(all="ignore"):
        total = np.add.reduce(array, axis=None)  # one pass that keeps nothing
    if np.isfinite(total):
        return None
    finite = np.isfinite(array).reshape(*(array.shape[:1] or (1,)), -1).all(axis=1)
    return None if finite.all() else int(np.flatnonzero(~finite)[0])
