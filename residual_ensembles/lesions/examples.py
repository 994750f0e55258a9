"""What a network is studied on: inputs as one array, and the class of each."""

import numpy as np

METRIC = "metric=..., for instance metric='binary_accuracy' or 'mean_squared_error'"


def packed_examples(chain, inputs) -> np.ndarray:
    """Returns inputs as one array, as lesions take them.

    Args:
        chain: The network.
        inputs: As its model takes them.

    Raises:
        ValueError: There is none, or they have another shape.
    """
    packed = np.asarray(chain.packed_inputs(inputs))
    check_shape(chain, packed)
    return packed


def check_shape(chain, packed) -> None:
    """Refuses inputs of another shape than the network's, and none.

    Args:
        chain: The network.
        packed: As `chain.packed_inputs` returns them. What has no shape before it is read is
            believed to have the network's.

    Raises:
        ValueError: They are not `(n, ...)` with the network's own shape.
    """
    expected = tuple(chain.picture_shape)
    shape = tuple(packed.shape if hasattr(packed, "shape") else (len(packed), *expected))
    if not shape or shape[1:] != expected or not shape[0]:
        raise ValueError(
            f"Received inputs of shape {shape}, expected one or more of {expected} each: "
            f"(n, {', '.join(map(str, expected))})."
        )


def class_labels(chain, targets, n: int, otherwise: str = METRIC) -> np.ndarray:
    """Returns targets as one class for each example.

    Args:
        chain: The network.
        targets: Class of each example, `(n,)` or `(n, 1)`, or one-hot.
        n: Examples.
        otherwise: What to say where they are something else.

    Raises:
        ValueError: They are not, or the network does not tell classes.
    """
    labels = np.asarray(targets)
    if labels.ndim == 2 and labels.shape[1] == n_classes(chain):
        labels = labels.argmax(axis=1)
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    whole = np.issubdtype(labels.dtype, np.integer)
    if labels.shape != (n,) or not whole or n_classes(chain) is None:
        raise ValueError(
            f"Received targets of shape {labels.shape} and type {labels.dtype} for {n} inputs and "
            f"outputs of shape {chain.output_shapes}, expected one whole number for each input and "
            f"one number for each of two or more classes. For anything else say {otherwise}."
        )
    if labels.min() < 0 or labels.max() >= n_classes(chain):
        raise ValueError(
            f"Received class labels from {labels.min()} to {labels.max()}, expected 0 to "
            f"{n_classes(chain) - 1}: the network tells {n_classes(chain)} classes apart."
        )
    return labels


def n_classes(chain) -> int | None:
    """Returns how many classes the network tells apart; None where it puts out something else."""
    shapes = chain.output_shapes
    return shapes[0][0] if len(shapes) == 1 and len(shapes[0]) == 1 and shapes[0][0] > 1 else None
