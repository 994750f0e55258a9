"""Predictions after many lesions, from as little computing as they need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from residual_ensembles.lesions import cascade, closeness
from residual_ensembles.lesions.evaluator import Evaluator
from residual_ensembles.lesions.grid import MEMORY_BYTES
from residual_ensembles.lesions.lesion import Lesion
from residual_ensembles.lesions.pieces import Pieces

PRECISIONS = ("float32", "bfloat16", "cascade")


@dataclass(frozen=True)
class Evaluation:
    """What a network predicts after each lesion of a plan."""

    predictions: np.ndarray
    """Classes, int32 `(n_lesions, n_pictures)`, in the order of the plan."""
    n_close: np.ndarray
    """For each lesion, predictions whose two best logits lie closer than float32 rounding."""
    n_redone: np.ndarray
    """For each lesion, predictions that a cascade made again in float32."""
    n_beyond: np.ndarray
    """Of these, those whose rounding was larger than the cascade allows for."""
    check: cascade.Check | None
    """What bfloat16 changes, on a sample; None where all is float32."""
    peak_bytes: int
    """By how much the memory of the process grew while it was evaluated."""


def evaluate(
    chain,
    plan: Sequence,
    pictures,
    *,
    precision: str = "float32",
    memory_bytes: int = MEMORY_BYTES,
    seed: int = 0,
    pieces: Pieces | None = None,
    progress: Callable[[float], None] = lambda n_predictions: None,
) -> Evaluation:
    """Evaluates a plan of lesions.

    Everything that lesions have in common, from the stem to where they part, is computed once;
    where they meet again, their activations pass the next module as one batch.

    In float32 predictions are those of `evaluate_reference`, except where the two best logits of a
    picture lie closer than rounding (`closeness.ROUNDING`): these are counted in `n_close`. In
    bfloat16 some change: `check` says how many of a sample. A cascade is bfloat16, and float32
    again wherever rounding could have changed the prediction: see `cascade`.

    Args:
        chain: The network; nothing about it changes.
        plan: Lesions of any kinds, or planned lesions.
        pictures: `(n_pictures, height, width, channels)` in 0..255: an array, or anything with a
            length that returns an array for a slice or for positions.
        precision: "float32", "bfloat16" or "cascade".
        memory_bytes: What activations may take.
        seed: Of the sample that bfloat16 is checked on.
        pieces: Where finished pieces are kept, to go on after an interruption.
        progress: Called with the number of predictions that were made since the last call.

    Raises:
        ValueError: The network cannot bear one of the lesions, there is no such precision, or the
            memory is too small for a single picture.
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f"Received precision={precision!r}, expected one of {', '.join(PRECISIONS)}."
        )
    lesions = lesions_of(plan)
    evaluator = Evaluator(chain, lesions, len(pictures), memory_bytes)
    pieces = pieces or Pieces()
    check = None
    if precision != "float32":
        check = cascade.check_on_sample(evaluator, pictures, seed, pieces)
    found = []
    for part in evaluator.grid.pieces():
        meter = Meter(progress, len(lesions) * (part.stop - part.start))
        work = partial(_piece, evaluator, pictures, part, precision, check, meter)
        found.append(pieces.get(f"piece-{part.start:08d}", work))
        meter.finish()
    counts = {name: sum(piece[name] for piece in found) for name in COUNTS}
    return Evaluation(
        predictions=np.concatenate([piece["predictions"] for piece in found], axis=1),
        check=check,
        peak_bytes=evaluator.peak_bytes,
        **counts,
    )


COUNTS = ("n_close", "n_redone", "n_beyond")


def lesions_of(plan: Sequence) -> list[Lesion]:
    """Returns the lesions of a plan of lesions, or of planned lesions."""
    return [row if isinstance(row, Lesion) else row.lesion for row in plan]


def _piece(evaluator, pictures, part, precision, check, meter) -> dict[str, np.ndarray]:
    """Returns what is kept of one piece: predictions, and counts for each lesion."""
    these = np.asarray(pictures[part])
    if precision == "cascade":
        logits, redone, beyond = cascade.cascaded(evaluator, these, check.thresholds, meter)
    else:
        logits = evaluator.logits(these, precision, progress=meter)
        redone = beyond = np.zeros(logits.shape[:2], bool)
    return {
        "predictions": logits.argmax(axis=-1).astype(np.int32),
        "n_close": (closeness.gaps(logits) < closeness.ROUNDING).sum(axis=1),
        "n_redone": redone.sum(axis=1),
        "n_beyond": beyond.sum(axis=1),
    }


class Meter:
    """Turns shares of the work into predictions, no more and no less than there are.

    Args:
        progress: Called with a number of predictions.
        n: How many there will be.
    """

    def __init__(self, progress: Callable[[float], None], n: int):
        self.progress = progress
        self.left = float(n)
        self.n = n

    def __call__(self, share: float) -> None:
        step = min(self.left, share * self.n)
        self.left -= step
        self.progress(step)

    def finish(self) -> None:
        """Reports what is left: rounding, or all of a piece that was found finished."""
        self.progress(self.left)
        self.left = 0.0
