"""bfloat16 for every picture, and float32 again where rounding could change the prediction.

How much rounding can change is measured for each lesion on a sample of the pictures: by how much
the class that wins in bfloat16 loses to any other one in float32. Twice the most that was seen is
the threshold; pictures whose two best logits lie closer are evaluated again.

What that guarantees: a prediction is that of float32 unless rounding changed its logits by more
than the threshold. No theory forbids that, and how often it happens depends on the processor and
its library; so it is looked for on every picture that is evaluated again, counted and reported. A
lesion that shows it once has a threshold which is not to be trusted: all pictures that are
evaluated together with that one are evaluated in float32 after it.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from residual_ensembles.lesions.closeness import leads, rounding
from residual_ensembles.lesions.evaluator import Evaluator
from residual_ensembles.randomness import generator

SAMPLE = 128
"""Pictures on which every lesion is evaluated in both precisions."""
SAFETY = 2.0
"""How often the largest rounding of the sample is the threshold."""
COMMON_QUANTILE = 0.999
"""No lesion's own largest rounding counts for less than this quantile of all of them together."""


class Check(NamedTuple):
    """What bfloat16 changes, measured on a sample."""

    n: int
    """Predictions that were made in both precisions."""
    n_changed: int
    """Those that are not the same."""
    thresholds: np.ndarray
    """For each lesion, the lead below which a prediction is not trusted, in units of logits."""


def sample(n_pictures: int, seed: int) -> np.ndarray:
    """Returns the positions of the pictures on which every lesion is evaluated in both precisions.

    Args:
        n_pictures: Pictures of the sweep.
        seed: Of the sample.
    """
    n = min(SAMPLE, n_pictures)
    return np.sort(generator(seed, "precision sample").choice(n_pictures, n, replace=False))


FIELDS = {"changed": bool, "rounding": np.float32}
"""What `compare` returns."""


def compare(
    evaluator: Evaluator, pictures: np.ndarray, lesions: np.ndarray, _
) -> dict[str, np.ndarray]:
    """Returns, of some lesions with some pictures, what bfloat16 changes and by how much."""
    low, high = (evaluator.logits(pictures, p, lesions=lesions) for p in ("bfloat16", "float32"))
    return {"changed": low.argmax(-1) != high.argmax(-1), "rounding": rounding(low, high)}


def checked(changed: np.ndarray, rounding: np.ndarray) -> Check:
    """Returns what bfloat16 changes from what `compare` found of all lesions.

    Args:
        changed: `(n_lesions, n_pictures)`.
        rounding: `(n_lesions, n_pictures)`.
    """
    return Check(changed.size, int(changed.sum()), thresholds(rounding))


def thresholds(roundings: np.ndarray) -> np.ndarray:
    """Returns the threshold of each lesion from what rounding changed on a sample.

    Args:
        roundings: `(n_lesions, n_pictures)`, as `closeness.rounding` measures them.
    """
    if not roundings.size:
        return np.zeros(len(roundings))
    common = np.quantile(roundings, COMMON_QUANTILE)
    return SAFETY * np.maximum(roundings.max(axis=1), common)


class Cascaded(NamedTuple):
    """Logits of some pictures, and how they came about."""

    logits: np.ndarray
    redone: np.ndarray
    """Booleans `(n_lesions, n_pictures)`: evaluated again in float32; all pictures of a lesion
    whose threshold was exceeded."""
    beyond: np.ndarray
    """Of these, where rounding changed more than the threshold."""


def cascaded(
    evaluator: Evaluator,
    pictures: np.ndarray,
    lesions: np.ndarray,
    limits: np.ndarray,
    progress: Callable[[float], None],
) -> Cascaded:
    """Returns logits in bfloat16, and in float32 where those lie too close.

    Args:
        evaluator: Of the sweep.
        pictures: `(n_pictures, height, width, channels)`.
        lesions: Positions of the lesions to evaluate.
        limits: Threshold of each of them.
        progress: Called with shares of the work.
    """
    limits = limits[:, None]
    low = evaluator.logits(pictures, "bfloat16", lesions=lesions, progress=progress)
    logits = low.copy()
    redone, beyond = np.zeros((2, *low.shape[:2]), bool)
    wanted = leads(low) < limits
    while wanted.any():
        high = evaluator.logits(pictures, "float32", wanted=wanted, lesions=lesions)
        logits[wanted] = high[wanted]
        redone |= wanted
        beyond |= redone & (rounding(low, logits) > limits)
        wanted = beyond.any(axis=1, keepdims=True) & ~redone
    return Cascaded(logits, redone, beyond)
