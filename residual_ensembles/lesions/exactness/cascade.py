"""bfloat16 for every image, and float32 again where rounding could change the prediction.

How much rounding can change is measured for each lesion on a sample of the images: by how much
the class that wins in bfloat16 loses to any other one in float32. Twice the most that was seen is
the threshold; images whose two best logits lie closer are evaluated again.

What that guarantees: a prediction is that of float32 unless rounding changed its logits by more
than the threshold. No theory forbids that, and how often it happens depends on the processor and
its library; so it is looked for on every image that is evaluated again, counted and reported. A
lesion that shows it once has a threshold which is not to be trusted: all images that are
evaluated together with that one are evaluated in float32 after it.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from residual_ensembles.lesions.engine.evaluator import Evaluator
from residual_ensembles.lesions.exactness.ties import margin_error, top2_margin
from residual_ensembles.statistics.randomness import generator

SAMPLE = 128
"""Images on which every lesion is evaluated in both precisions."""
SAFETY = 2.0
"""How often the largest rounding of the sample is the threshold."""
COMMON_QUANTILE = 0.999
"""No lesion's own largest rounding counts for less than this quantile of all of them together."""


class Check(NamedTuple):
    """Changes of predictions by bfloat16, measured on a sample."""

    n: int
    """Predictions that were made in both precisions."""
    n_changed: int
    """Those that are not the same."""
    thresholds: np.ndarray
    """For each lesion, the lead below which a prediction is not trusted, in units of logits."""


def sample(n_images: int, seed: int) -> np.ndarray:
    """Returns the positions of the images on which every lesion is evaluated in both precisions.

    Args:
        n_images: Images of the sweep.
        seed: Seed of the sample.
    """
    n = min(SAMPLE, n_images)
    return np.sort(generator(seed, "precision sample").choice(n_images, n, replace=False))


FIELDS = {"changed": bool, "rounding": np.float32}
"""What `compare` returns."""


def compare(
    evaluator: Evaluator, images: np.ndarray, lesions: np.ndarray, _
) -> dict[str, np.ndarray]:
    """Returns, of some lesions with some images, what bfloat16 changes and by how much."""
    low, high = (evaluator.logits(images, p, lesions=lesions) for p in ("bfloat16", "float32"))
    return {"changed": low.argmax(-1) != high.argmax(-1), "rounding": margin_error(low, high)}


def checked(changed: np.ndarray, rounding: np.ndarray) -> Check:
    """Returns what bfloat16 changes from what `compare` found of all lesions.

    Args:
        changed: `(n_lesions, n_images)`.
        rounding: `(n_lesions, n_images)`.
    """
    return Check(changed.size, int(changed.sum()), thresholds(rounding))


def thresholds(roundings: np.ndarray) -> np.ndarray:
    """Returns the threshold of each lesion from what rounding changed on a sample.

    Args:
        roundings: `(n_lesions, n_images)`, as `ties.rounding` measures them.
    """
    if not roundings.size:
        return np.zeros(len(roundings))
    common = np.quantile(roundings, COMMON_QUANTILE)
    return SAFETY * np.maximum(roundings.max(axis=1), common)


class Cascaded(NamedTuple):
    """Logits of some images, and how they came about."""

    logits: np.ndarray
    reevaluated: np.ndarray
    """Booleans `(n_lesions, n_images)`: evaluated again in float32; all images of a lesion
    whose threshold was exceeded."""
    threshold_violations: np.ndarray
    """Of these, where rounding changed more than the threshold."""


def cascaded(
    evaluator: Evaluator,
    images: np.ndarray,
    lesions: np.ndarray,
    limits: np.ndarray,
    progress: Callable[[float], None],
) -> Cascaded:
    """Returns logits in bfloat16, and in float32 where those lie too close.

    Args:
        evaluator: The sweep's evaluator.
        images: `(n_images, height, width, channels)`.
        lesions: Positions of the lesions to evaluate.
        limits: Threshold of each of them.
        progress: Called with shares of the work.
    """
    limits = limits[:, None]
    low = evaluator.logits(images, "bfloat16", lesions=lesions, progress=progress)
    logits = low.copy()
    reevaluated, threshold_violations = np.zeros((2, *low.shape[:2]), bool)
    wanted = top2_margin(low) < limits
    while wanted.any():
        high = evaluator.logits(images, "float32", wanted=wanted, lesions=lesions)
        logits[wanted] = high[wanted]
        reevaluated |= wanted
        threshold_violations |= reevaluated & (margin_error(low, logits) > limits)
        wanted = threshold_violations.any(axis=1, keepdims=True) & ~reevaluated
    return Cascaded(logits, reevaluated, threshold_violations)
