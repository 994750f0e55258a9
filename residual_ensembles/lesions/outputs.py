"""What a network puts out after each lesion, a few examples at a time."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from residual_ensembles.lesions.engine import check_precision
from residual_ensembles.lesions.evaluator import Evaluator
from residual_ensembles.lesions.grid import MEMORY_BYTES
from residual_ensembles.lesions.lesion import Lesion

OUTPUT_PRECISIONS = ("float32", "bfloat16")
OUTPUT_SHARE = 4
"""Outputs of all lesions take no more than this part of the memory; a map of classes is large."""


def outputs_of(
    chain,
    lesions: Sequence[Lesion],
    inputs,
    *,
    precision: str = "float32",
    memory_bytes: int = MEMORY_BYTES,
    batch_size: int | None = None,
    progress: Callable[[float], None] = lambda n_predictions: None,
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields the outputs of all lesions for some examples after others.

    Args:
        chain: The network; nothing about it changes.
        lesions: Any lesions that it can bear.
        inputs: As `chain.packed_inputs` returns them: an array, or anything with a length that
            returns one for a slice.
        precision: "float32" or "bfloat16".
        memory_bytes: What activations may take.
        batch_size: How many of them may pass a module together; None for as many as are fast.
        progress: Called with the number of outputs that were made since the last call.

    Yields:
        Which examples, and their outputs `(n_lesions, n_examples, numbers)` in float32.

    Raises:
        ValueError: The network cannot bear one of the lesions, there are no inputs, there is no
            such precision, or the memory is too small for a single one.
    """
    if not len(inputs):
        raise ValueError("Received no inputs, expected at least one.")
    if precision not in OUTPUT_PRECISIONS:
        raise ValueError(
            f"Received precision={precision!r} for outputs that are no classes, expected one of "
            f"{', '.join(OUTPUT_PRECISIONS)}."
        )
    check_precision(chain, precision)
    evaluator = Evaluator(chain, lesions, len(inputs), memory_bytes, batch_size)
    for part in evaluator.grid.pieces():
        for some in _bounded(part, chain, len(lesions), memory_bytes):
            n = (some.stop - some.start) * len(lesions)
            yield some, evaluator.logits(np.asarray(inputs[some]), precision)
            progress(n)


def _bounded(part: slice, chain, n_lesions: int, memory_bytes: int) -> Iterator[slice]:
    numbers = chain.compute_output_shape((None, *chain.picture_shape))[-1]
    most = max(1, memory_bytes // OUTPUT_SHARE // (4 * numbers * n_lesions))
    for start in range(part.start, part.stop, most):
        yield slice(start, min(start + most, part.stop))
