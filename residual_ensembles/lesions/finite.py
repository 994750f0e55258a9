"""Outputs that are NaN or infinite: the class of these would be the first, always."""

from collections.abc import Sequence

import numpy as np

from residual_ensembles.lesions.lesion import Lesion
from residual_ensembles.models.protocols import ChainLike
from residual_ensembles.models.targets import first_not_finite

NOT_FINITE = -2
"""Prediction from logits of which one is NaN or infinite."""


def predicted(logits: np.ndarray) -> np.ndarray:
    """Returns the class with the largest logit, int32 `(...,)` of `(..., classes)`, or NOT_FINITE.

    Args:
        logits: Of all lesions with some examples.
    """
    classes = logits.argmax(axis=-1).astype(np.int32)
    if first_not_finite(logits) is not None:
        classes[~np.isfinite(logits).all(axis=-1)] = NOT_FINITE
    return classes


def check_finite(
    chain: ChainLike,
    lesions: Sequence[Lesion],
    bad: np.ndarray,
    examples: Sequence[int] | np.ndarray | None = None,
) -> None:
    """Refuses outputs of which some are NaN or infinite.

    Args:
        chain: The network.
        lesions: The lesions.
        bad: Booleans `(n_lesions, n_examples)`: whose outputs are.
        examples: Positions of the examples; None where these are all.

    Raises:
        ArithmeticError: There are such, with the first example and the first of its lesions.
    """
    if not bad.any():
        return
    place, lesion = np.argwhere(bad.T)[0]
    example = place if examples is None else examples[place]
    raise ArithmeticError(
        f"{chain.name} puts out NaN or infinity for example {example} (counted from 0) after the "
        f"lesion {str(lesions[lesion])!r}, expected outputs that are finite: look for inputs that "
        "are not, for weights that have grown beyond all bounds, or leave the lesion out."
    )
