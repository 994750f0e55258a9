"""bfloat16 for every image, and float32 again where rounding could change the prediction.

How much rounding can change is measured for each lesion on a sample of the images: by how much
the class that wins in bfloat16 loses to any other one in float32. Twice the largest such loss is
the threshold; images whose two best logits lie closer are reevaluated.

What that guarantees: a prediction is that of float32 unless rounding changed its logits by more
than the threshold. No theory forbids that, and how often it happens depends on the processor and
its library; so every image that is reevaluated is checked for it, and violations are counted and
reported. After one, the threshold of the lesion is not trusted: all images of the same chunk are
reevaluated in float32.
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
"""Threshold as a multiple of the largest rounding on the sample."""
COMMON_QUANTILE = 0.999
"""Quantile of the roundings of all lesions that the largest of a lesion counts as at least."""


class Bfloat16Changes(NamedTuple):
    """Changes of predictions by bfloat16, measured on a sample."""

    n: int
    """Predictions that were made in both precisions."""
    n_changed: int
    """Predictions that differ between them."""
    thresholds: np.ndarray
    """Top-2 margin, in logits, below which a prediction is reevaluated, `(n_lesions,)`."""


def sample(n_images: int, seed: int) -> np.ndarray:
    """Returns the positions of the images on which every lesion is evaluated in both precisions."""
    n = min(SAMPLE, n_images)
    return np.sort(generator(seed, "precision sample").choice(n_images, n, replace=False))


FIELDS = {"changed": bool, "rounding": np.float32}
"""Arrays that `compare` returns, by name, and their types."""


def compare(
    evaluator: Evaluator, images: np.ndarray, lesions: np.ndarray, _
) -> dict[str, np.ndarray]:
    """Returns whether bfloat16 changes predictions, and by how much, `(n_lesions, n_images)`."""
    low, high = (evaluator.logits(images, p, lesions=lesions) for p in ("bfloat16", "float32"))
    return {"changed": low.argmax(-1) != high.argmax(-1), "rounding": margin_error(low, high)}


def changes_of(changed: np.ndarray, rounding: np.ndarray) -> Bfloat16Changes:
    """Summarizes the results of `compare` for all lesions, `(n_lesions, n_images)` each."""
    return Bfloat16Changes(changed.size, int(changed.sum()), thresholds(rounding))


def thresholds(roundings: np.ndarray) -> np.ndarray:
    """Returns the threshold of each lesion.

    Roundings are `(n_lesions, n_images)` on a sample, as `ties.margin_error` measures them.
    """
    if not roundings.size:
        return np.zeros(len(roundings))
    common = np.quantile(roundings, COMMON_QUANTILE)
    return SAFETY * np.maximum(roundings.max(axis=1), common)


class Cascaded(NamedTuple):
    """Logits of some images, and their precision."""

    logits: np.ndarray
    reevaluated: np.ndarray
    """Booleans `(n_lesions, n_images)`: evaluated again in float32; all images of a lesion whose
    threshold was violated."""
    threshold_violations: np.ndarray
    """Booleans `(n_lesions, n_images)`: those of which rounding changed more than the threshold."""


def cascaded(
    evaluator: Evaluator,
    images: np.ndarray,
    lesions: np.ndarray,
    thresholds: np.ndarray,
    progress: Callable[[float], None],
) -> Cascaded:
    """Returns logits in bfloat16, and in float32 where the two best lie too close.

    `lesions` are positions in the sweep; thresholds are in logits.
    """
    thresholds = thresholds[:, None]
    low = evaluator.logits(images, "bfloat16", lesions=lesions, progress=progress)
    logits = low.copy()
    reevaluated, threshold_violations = np.zeros((2, *low.shape[:2]), bool)
    wanted = top2_margin(low) < thresholds
    while wanted.any():
        high = evaluator.logits(images, "float32", wanted=wanted, lesions=lesions)
        logits[wanted] = high[wanted]
        reevaluated |= wanted
        threshold_violations |= reevaluated & (margin_error(low, logits) > thresholds)
        wanted = threshold_violations.any(axis=1, keepdims=True) & ~reevaluated
    return Cascaded(logits, reevaluated, threshold_violations)
