"""Does the engine say what the reference says?"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from residual_ensembles import backend
from residual_ensembles.lesions.closeness import ROUNDING, bound, gaps, scale
from residual_ensembles.lesions.disturbance import disturbed
from residual_ensembles.lesions.evaluator import Evaluator
from residual_ensembles.lesions.lesion import Lesion
from residual_ensembles.lesions.reference import CompiledParts
from residual_ensembles.randomness import generator

SHARE = 1 / 8
"""Of the lesions of a sweep, how many are compared with the reference."""
FIRST = 4
"""And so many at the beginning of a plan always are."""
PICTURES = 16
"""Pictures with which they are."""
LARGEST = 1e-2
"""Relative difference of logits above which there is a mistake, and not rounding, unless the
network itself enlarges rounding that far."""
OWN = 3.0
"""How often what it does so may be seen between the engine and the reference."""
LARGEST_REDUCED = 0.3
"""`LARGEST` of a network that computes in less than float32 by itself."""


class Agreement(NamedTuple):
    """How two evaluations of the same lesions with the same pictures compare."""

    n: int
    """Predictions compared."""
    n_different: int
    n_close: int
    """Predictions whose two best logits lie closer than rounding, in the reference."""
    n_unexplained: int
    """Predictions that differ although they are not close: of a sweep, more than is explained by
    what its other lesions, of which its bound is made, differ by."""
    largest_relative_difference: float
    """Of any logit, as a share of the scale of its picture."""
    own: float = 0.0
    """By how much the network itself enlarges rounding, in the same measure: see `disturbance`.
    Looked at only where the difference is too large to be rounding in most networks."""


def agreement(
    logits: np.ndarray, reference: np.ndarray, rounding: float | np.ndarray = ROUNDING
) -> Agreement:
    """Compares logits `(..., classes)` with those of the reference.

    Args:
        logits: Of the engine.
        reference: Of the reference.
        rounding: Gap below which two logits are close, as a share of the scale; one for all, or
            what goes with `(...,)`.
    """
    close = gaps(reference) < rounding
    different = logits.argmax(axis=-1) != reference.argmax(axis=-1)
    relative = differences(logits, reference)
    return Agreement(
        n=different.size,
        n_different=int(different.sum()),
        n_close=int(close.sum()),
        n_unexplained=int((different & ~close).sum()),
        largest_relative_difference=float(relative.max(initial=0.0)),
    )


def differences(logits: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Returns by how much the logits of each picture differ at most, as a share of its scale."""
    return np.abs(logits - reference).max(axis=-1) / scale(reference)


def bounds_of_others(differences: np.ndarray) -> np.ndarray:
    """Returns for each lesion the bound that all the others would give, `(n_lesions, 1)`.

    Its own differences must not count: a prediction that differs is always closer than ten times
    the largest of these.

    Args:
        differences: Between engine and reference, `(n_lesions, n_pictures)`.
    """
    largest = differences.max(axis=1)
    others = [np.delete(largest, i).max(initial=0.0) for i in range(len(largest))]
    return np.array([[bound(each)] for each in others])


def sampled_lesions(lesions: Sequence[Lesion], seed: int) -> np.ndarray:
    """Returns the positions of the lesions of a plan that are compared with the reference.

    Whether a lesion is one of them is drawn for it alone, or it is one of the first: plans of a
    network begin alike, so that a larger one compares those of a smaller one and some more.

    Args:
        lesions: Each once, in the order of the plan.
        seed: Of the sample.
    """
    drawn = [generator(seed, "agreement", str(lesion)).random() < SHARE for lesion in lesions]
    drawn[:FIRST] = [True] * len(drawn[:FIRST])
    return np.flatnonzero(drawn)


def sampled_pictures(n_pictures: int, seed: int) -> np.ndarray:
    """Returns the positions of the pictures that lesions are compared with the reference on.

    Args:
        n_pictures: Pictures of the sweep.
        seed: Of the sample.
    """
    random = generator(seed, "agreement pictures")
    return np.sort(random.choice(n_pictures, min(PICTURES, n_pictures), replace=False))


FIELDS = {
    "difference": np.float32,
    "gap": np.float32,
    "different": bool,
    "own": np.float32,
    "finite": bool,
}
"""What `compare` returns."""


def compare(
    evaluator: Evaluator, pictures: np.ndarray, lesions: np.ndarray, _
) -> dict[str, np.ndarray]:
    """Returns how the engine, in float32, and a plain run of the network compare.

    Args:
        evaluator: Of the sweep.
        pictures: `(n_pictures, height, width, channels)`.
        lesions: Positions of the lesions.

    Returns:
        `(n_lesions, n_pictures)` each: how far logits differ at most, and the gap between the two
        best ones of the network itself, as shares of the largest; whether the predictions differ;
        where logits differ by more than `LARGEST`, by how much the network enlarges rounding; and
        whether all logits are finite.
    """
    reference = CompiledParts(evaluator.chain, compile=lambda function: function)
    chosen = [evaluator.lesions[i] for i in lesions]
    logits = evaluator.logits(pictures, lesions=lesions)
    with backend.full_precision():
        expected = np.stack([reference(lesion, pictures) for lesion in chosen])
        found = differences(logits, expected)
        own = np.zeros_like(found)
        far = np.flatnonzero(found.max(axis=1) > LARGEST)
        if len(far):
            moved = disturbed(reference, [chosen[i] for i in far], pictures)
            own[far] = differences(moved, expected[far]).max(axis=0)
    return {
        "difference": found,
        "gap": gaps(expected) if expected.shape[-1] > 1 else np.full_like(found, np.inf),
        "different": logits.argmax(axis=-1) != expected.argmax(axis=-1),
        "own": own,
        "finite": (np.isfinite(expected) & np.isfinite(logits)).all(axis=-1),
    }


def compared(
    difference: np.ndarray, gap: np.ndarray, different: np.ndarray, own: np.ndarray
) -> Agreement:
    """Returns how a sample of lesions compares, from what `compare` found of them."""
    close = gap < bounds_of_others(difference)
    return Agreement(
        n=different.size,
        n_different=int(different.sum()),
        n_close=int(close.sum()),
        n_unexplained=int((different & ~close).sum()),
        largest_relative_difference=float(difference.max()),
        own=float(own.max()),
    )


def check_agreement(found: Agreement, chain) -> None:
    """Refuses a network that the engine does not evaluate as it evaluates itself.

    Args:
        found: Of a sample.
        chain: The network.

    Raises:
        ArithmeticError: The engine and the network differ by more than rounding explains.
    """
    dtypes = {module.compute_dtype for module in chain.modules}
    largest = LARGEST if dtypes <= {"float32", "float64"} else LARGEST_REDUCED
    largest = max(largest, OWN * found.own)
    if not found.largest_relative_difference <= largest:
        raise ArithmeticError(
            f"Of {found.n} predictions of the lesion engine, logits differ from those of the "
            f"network itself by up to {found.largest_relative_difference:.2g} of the largest one, "
            f"expected less than {largest:.2g}: a module does something else when it is prepared "
            "for inference. Please report it, with the network."
        )
