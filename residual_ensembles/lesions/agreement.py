"""Does the engine say what the reference says?"""

from typing import NamedTuple

import numpy as np

from residual_ensembles import backend
from residual_ensembles.lesions.closeness import ROUNDING, bound, gaps, scale
from residual_ensembles.lesions.disturbance import disturbed
from residual_ensembles.lesions.evaluator import Evaluator
from residual_ensembles.lesions.finite import check_finite
from residual_ensembles.lesions.piece import Piece
from residual_ensembles.lesions.reference import CompiledParts
from residual_ensembles.randomness import generator

LESIONS = 4
"""Lesions of a sweep that are compared with the reference."""
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


def bounds_of_others(logits: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Returns for each lesion the bound that all the others would give, `(n_lesions, 1)`.

    Its own differences must not count: a prediction that differs is always closer than ten times
    the largest of these.

    Args:
        logits: Of the engine, `(n_lesions, n_pictures, n_classes)`.
        reference: Of the reference.
    """
    largest = differences(logits, reference).max(axis=1)
    others = [np.delete(largest, i).max(initial=0.0) for i in range(len(largest))]
    return np.array([[bound(each)] for each in others])


def sample(evaluator: Evaluator, n_pictures: int, seed: int) -> Piece:
    """Returns the piece that compares some lesions and pictures of a sweep, in float32.

    Args:
        evaluator: Of the sweep.
        n_pictures: Pictures of the sweep.
        seed: Of the sample.
    """
    random = generator(seed, "agreement sample")
    n_lesions = min(LESIONS, len(evaluator.lesions))
    lesions = np.sort(random.choice(len(evaluator.lesions), n_lesions, replace=False))
    positions = np.sort(random.choice(n_pictures, min(PICTURES, n_pictures), replace=False))
    return Piece("agreement", compare, positions, lesions, (positions,))


def compare(
    evaluator: Evaluator, pictures: np.ndarray, lesions: np.ndarray, positions: np.ndarray, _
) -> dict[str, np.ndarray]:
    """Returns the fields of an `Agreement` of some lesions with the pictures at some positions."""
    reference = CompiledParts(evaluator.chain, compile=lambda function: function)
    chosen = [evaluator.lesions[i] for i in lesions]
    logits = evaluator.logits(pictures, lesions=lesions)
    with backend.full_precision():
        expected = np.stack([reference(lesion, pictures) for lesion in chosen])
        bad = ~(np.isfinite(expected) & np.isfinite(logits)).all(axis=-1)
        check_finite(evaluator.chain, chosen, bad, positions)
        found = agreement(logits, expected, bounds_of_others(logits, expected))
        if found.largest_relative_difference > LARGEST:
            moved = differences(disturbed(reference, chosen, pictures), expected)
            found = found._replace(own=float(moved.max()))
    return {name: np.array(value) for name, value in found._asdict().items()}


def accepted(piece: dict[str, np.ndarray], chain) -> Agreement:
    """Returns what `compare` found.

    Args:
        piece: What it returned.
        chain: The network.

    Raises:
        ArithmeticError: The engine and the network differ by more than rounding explains.
    """
    found = Agreement(**{name: value.item() for name, value in piece.items()})
    dtypes = {getattr(module, "compute_dtype", "float32") for module in chain.modules}
    largest = LARGEST if dtypes <= {"float32", "float64"} else LARGEST_REDUCED
    largest = max(largest, OWN * found.own)
    if not found.largest_relative_difference <= largest:
        raise ArithmeticError(
            f"Of {found.n} predictions of the lesion engine, logits differ from those of the "
            f"network itself by up to {found.largest_relative_difference:.2g} of the largest one, "
            f"expected less than {largest:.2g}: a module does something else when it is prepared "
            "for inference. Please report it, with the network."
        )
    return found
