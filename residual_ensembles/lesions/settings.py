"""How lesions are evaluated, and what cannot be evaluated so."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from residual_ensembles import backend
from residual_ensembles.lesions.grid import MEMORY_BYTES
from residual_ensembles.lesions.margin import check_margin
from residual_ensembles.models.examples import check_shape
from residual_ensembles.parameters import LESION_PRECISIONS


@dataclass(frozen=True)
class SweepSettings:
    """How the lesions of a sweep are evaluated."""

    precision: str = "float32"
    """"float32", "bfloat16" or "cascade"."""
    error_margin: float | None = None
    """Half-width, as a fraction, at which the 95 % interval of a lesion's error on the given
    pictures is narrow enough; None evaluates all pictures."""
    memory_bytes: int = MEMORY_BYTES
    """What activations may take, in each process."""
    batch_size: int | None = None
    """How many activations may pass a module together; None for as many as are fast."""
    seed: int = 0
    """Of the samples."""


def check_sweep(
    chain, plan: Sequence, pictures, settings: SweepSettings, labels: np.ndarray | None
) -> None:
    """Refuses what cannot be evaluated, before anything is computed.

    Args:
        chain: The network.
        plan: Lesions, or planned lesions.
        pictures: As `chain.packed_inputs` returns them, or what has a length.
        settings: How they would be evaluated.
        labels: True classes `(n_pictures,)`; None where there are none.

    Raises:
        ValueError: There is no lesion or no picture, pictures have another shape than the
            network's, there is no such precision or none for this network, or the margin is no
            fraction or comes without labels.
    """
    precision, error_margin = settings.precision, settings.error_margin
    if precision not in LESION_PRECISIONS:
        raise ValueError(
            f"Received precision={precision!r}, expected one of {', '.join(LESION_PRECISIONS)}."
        )
    if not len(plan):
        raise ValueError("Received no lesions, expected at least one, such as Lesion(), intact.")
    if not len(pictures):
        raise ValueError("Received no pictures, expected at least one.")
    if error_margin is not None and (labels is None or labels.shape != (len(pictures),)):
        received = "no" if labels is None else "×".join(map(str, labels.shape))
        raise ValueError(
            f"Received error_margin={error_margin} and {received} labels for {len(pictures)} "
            "pictures, expected the true class of each: an error cannot be estimated without."
        )
    if error_margin is not None:
        check_margin(error_margin)
    check_shape(chain, pictures)
    _check_precision(chain, precision)


def _check_precision(chain, precision: str) -> None:
    """Refuses to round what a network cannot bear to have rounded, or where nothing can be."""
    if precision != "float32" and chain.whole_numbers_travel:
        raise ValueError(
            f"Received precision={precision!r} for {chain.name}, between whose modules whole "
            "numbers or masks travel, expected float32."
        )
    if precision != "float32" and (problem := backend.bfloat16_problem()):
        raise ValueError(f"Received precision={precision!r}, expected float32: {problem}.")
