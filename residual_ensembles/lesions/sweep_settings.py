"""Settings of a sweep, and their validation."""

from collections.abc import Sequence
from dataclasses import dataclass

from residual_ensembles import backend
from residual_ensembles.arguments import checked, require_choice
from residual_ensembles.lesions.engine.grid import MEMORY_BYTES
from residual_ensembles.lesions.exactness.sequential_sampling import check_half_width
from residual_ensembles.models.examples import check_shape
from residual_ensembles.models.types import Targets
from residual_ensembles.parameters import LESION_PRECISIONS, SWEEPS

NOT_IN_KEY = ("precision", "ci_half_width", "fully_evaluated", "seed")
"""Settings that are not part of the key of cached results, since they select results and do not
change them: the precision names their kind, a half-width selects images and lesions, and results
that depend on a seed have it in their key. Every other setting, a new one too, is part of it."""


@checked
@dataclass(frozen=True)
class SweepSettings:
    """Settings of the evaluation of a sweep's lesions."""

    precision: str = "float32"
    """"float32", "bfloat16" or "cascade"."""
    ci_half_width: float | None = None
    """Half-width, as a fraction, at which the 95 % interval of a lesion's error on the given
    images is narrow enough; None evaluates all images."""
    memory_bytes: int = MEMORY_BYTES
    """Memory for activations, in each process."""
    batch_size: int | None = None
    """Rows in a batch, each one image after one lesion; None for as many as are fast."""
    seed: int = 0
    """Seed of the samples."""
    fully_evaluated: tuple[str, ...] = ()
    """Sweeps, such as "single_deletion", whose lesions are evaluated on all images whatever the
    half-width."""


def check_sweep(
    chain, plan: Sequence, images, settings: SweepSettings, labels: Targets | None
) -> None:
    """Refuses a sweep that cannot be evaluated, before anything is computed; see `evaluate`."""
    precision, ci_half_width = settings.precision, settings.ci_half_width
    require_choice("precision", precision, LESION_PRECISIONS)
    if unknown := set(settings.fully_evaluated) - set(SWEEPS):
        raise ValueError(
            f"Received fully_evaluated={settings.fully_evaluated} with {min(unknown)!r}, expected "
            f"kinds of lesions: {', '.join(SWEEPS)}."
        )
    if not len(plan):
        raise ValueError(
            "Received no lesions in the plan, expected at least one, such as Lesion(), intact."
        )
    if not len(images):
        raise ValueError("Received no images, expected at least one.")
    if ci_half_width is not None:
        check_half_width(ci_half_width)
        if labels is None:
            raise ValueError(
                f"Received ci_half_width={ci_half_width} and no labels for {len(images)} images, "
                "expected the class of each: without them there is no error to estimate."
            )
    check_shape(chain, images)
    if precision != "float32" and chain.carries_integers:
        raise ValueError(
            f"Received precision={precision!r} for {chain.name}, between whose modules integers "
            "or masks are carried, expected float32."
        )
    if precision != "float32" and (problem := backend.bfloat16_problem()):
        raise ValueError(f"Received precision={precision!r}, expected float32: {problem}.")
