"""Settings of a sweep, and their validation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from residual_ensembles import backend
from residual_ensembles.lesions.engine.grid import MEMORY_BYTES
from residual_ensembles.lesions.exactness.sequential_sampling import check_half_width
from residual_ensembles.models.examples import check_shape
from residual_ensembles.parameters import LESION_PRECISIONS


@dataclass(frozen=True)
class SweepSettings:
    """Settings of the evaluation of a sweep's lesions."""

    precision: str = "float32"
    """"float32", "bfloat16" or "cascade"."""
    ci_half_width: float | None = None
    """Half-width, as a fraction, at which the 95 % interval of a lesion's error on the given
    images is narrow enough; None evaluates all images."""
    memory_bytes: int = MEMORY_BYTES
    """What activations may take, in each process."""
    batch_size: int | None = None
    """How many activations may pass a module together; None for as many as are fast."""
    seed: int = 0
    """Of the samples."""


def check_sweep(
    chain, plan: Sequence, images, settings: SweepSettings, labels: np.ndarray | None
) -> None:
    """Refuses what cannot be evaluated, before anything is computed.

    Args:
        chain: The network.
        plan: Lesions, or planned lesions.
        images: As `chain.packed_inputs` returns them, or what has a length.
        settings: How they would be evaluated.
        labels: True classes `(n_images,)`; None where there are none.

    Raises:
        ValueError: There is no lesion or no image, images have another shape than the
            network's, there is no such precision or none for this network, or the margin is no
            fraction or comes without labels.
    """
    precision, ci_half_width = settings.precision, settings.ci_half_width
    if precision not in LESION_PRECISIONS:
        raise ValueError(
            f"Received precision={precision!r}, expected one of {', '.join(LESION_PRECISIONS)}."
        )
    if not len(plan):
        raise ValueError("Received no lesions, expected at least one, such as Lesion(), intact.")
    if not len(images):
        raise ValueError("Received no images, expected at least one.")
    if ci_half_width is not None and (labels is None or labels.shape != (len(images),)):
        received = "no" if labels is None else "×".join(map(str, labels.shape))
        raise ValueError(
            f"Received ci_half_width={ci_half_width} and {received} labels for {len(images)} "
            "images, expected the true class of each: an error cannot be estimated without."
        )
    if ci_half_width is not None:
        check_half_width(ci_half_width)
    check_shape(chain, images)
    _check_precision(chain, precision)


def _check_precision(chain, precision: str) -> None:
    """Refuses to round what a network must not have rounded, or where nothing can be."""
    if precision != "float32" and chain.carries_integers:
        raise ValueError(
            f"Received precision={precision!r} for {chain.name}, between whose modules integers "
            "or masks are carried, expected float32."
        )
    if precision != "float32" and (problem := backend.bfloat16_problem()):
        raise ValueError(f"Received precision={precision!r}, expected float32: {problem}.")
