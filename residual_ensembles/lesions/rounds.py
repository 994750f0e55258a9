"""The rounds of one sweep: which pieces it needs next, and what comes of them together."""

from collections.abc import Generator

import numpy as np

from residual_ensembles.lesions import cascade, closeness
from residual_ensembles.lesions.cut import groups
from residual_ensembles.lesions.evaluator import Evaluator
from residual_ensembles.lesions.margin import UNKNOWN, Sampling
from residual_ensembles.lesions.meter import Meter
from residual_ensembles.lesions.piece import Piece
from residual_ensembles.lesions.pieces import Pieces
from residual_ensembles.lesions.subject import Subject
from residual_ensembles.lesions.together import Round

COUNTS = ("n_close", "n_redone", "n_beyond")
KEPT = ("predictions", *COUNTS, "peak_bytes")
"""What is kept of a piece."""


class Rounds:
    """The pieces of one sweep, and what comes of them when they are put together.

    Args:
        subject: The network and its lesions.
        pictures: All of the sweep.
        kept: Where finished pieces are kept.
    """

    def __init__(self, subject: Subject, pictures, kept: Pieces):
        self.subject = subject
        self.evaluator = subject.evaluator
        self.pictures = pictures
        self.kept = kept
        self.steps = self.evaluator.steps()

    def round(self, pieces: list[Piece]) -> Round:
        """Returns pieces as an evaluation yields them."""
        return Round(self.subject, self.pictures, pieces, self.kept)

    def cut(self, name: str, lesions: np.ndarray, pictures, function, *options) -> list[Piece]:
        """Returns the pieces of some lesions with some pictures that are not many.

        Args:
            name: What the names of their files begin with.
            lesions: Positions.
            pictures: Positions, or a slice of them.
            function: What computes a piece.
            *options: Its other arguments.
        """
        n = len(range(*pictures.indices(len(self.pictures)))) if isinstance(pictures, slice) else 0
        n = n or len(pictures)
        predicts = function is predict
        return [
            Piece(f"{name}-{i:04d}", function, pictures, group, options, predicts * n * len(group))
            for i, group in enumerate(groups(self.subject.chain, self.steps, lesions, n))
        ]

    def check(self, seed: int) -> Generator[Round, list, cascade.Check]:
        """Evaluates every lesion with a few pictures in both precisions."""
        everyone = np.arange(len(self.evaluator.lesions))
        sample = cascade.sample(len(self.pictures), seed)
        pieces = self.cut("precision", everyone, sample, cascade.compare)
        found = yield self.round(pieces)
        whole = _joined(pieces, found, everyone, ("changed", "rounding"))
        return cascade.checked(**whole)

    def all_pictures(self, how: tuple) -> Generator[Round, list, dict[str, np.ndarray]]:
        """Evaluates every lesion with every picture."""
        everyone = np.arange(len(self.evaluator.lesions))
        ranges = [
            self.cut(f"piece-{part.start:08d}", everyone, part, predict, *how)
            for part in self.evaluator.grid.pieces()
        ]
        found = iter((yield self.round([piece for pieces in ranges for piece in pieces])))
        parts = [
            _joined(pieces, [next(found) for _ in pieces], everyone, KEPT) for pieces in ranges
        ]
        return {
            "predictions": np.concatenate([part["predictions"] for part in parts], axis=1),
            **{name: sum(part[name] for part in parts) for name in COUNTS},
            "peak_bytes": max(part["peak_bytes"] for part in parts),
        }

    def sampled_pictures(
        self, sampling: Sampling, labels, how: tuple
    ) -> Generator[Round, list, dict[str, np.ndarray]]:
        """Evaluates every lesion with as many pictures as it takes, round by round."""
        n_lesions, n_pictures = sampling.known.shape
        found = {"predictions": np.full((n_lesions, n_pictures), UNKNOWN, np.int32)}
        found |= {name: np.zeros(n_lesions, int) for name in COUNTS} | {"peak_bytes": 0}
        while len(positions := sampling.next_pictures()):
            active, name = sampling.active, f"round-{sampling.n_known:08d}"
            pieces = self.cut(name, active, positions, predict, *how)
            piece = _joined(pieces, (yield self.round(pieces)), active, KEPT)
            found["predictions"][np.ix_(active, positions)] = piece["predictions"]
            for count in COUNTS:
                found[count][active] += piece[count]
            found["peak_bytes"] = max(found["peak_bytes"], piece["peak_bytes"])
            sampling.record(positions, piece["predictions"] != labels[positions])
        return found


def _joined(
    pieces: list[Piece], found: list[dict[str, np.ndarray]], lesions: np.ndarray, names: tuple
) -> dict[str, np.ndarray]:
    """Returns what pieces of other lesions and the same pictures found, in the order of `lesions`.

    What has no row for each lesion is of the piece as a whole, and the largest counts.
    """
    order = np.argsort(np.concatenate([piece.lesions for piece in pieces]), kind="stable")
    return {
        name: np.concatenate([f[name] for f in found])[order]
        if found[0][name].ndim
        else max(int(f[name]) for f in found)
        for name in names
    }


def predict(
    evaluator: Evaluator,
    pictures: np.ndarray,
    lesions: np.ndarray,
    precision: str,
    rounding: float,
    limits: np.ndarray | None,
    meter: Meter,
) -> dict[str, np.ndarray]:
    """Returns what is kept of some lesions with some pictures: predictions, and counts.

    Args:
        evaluator: Of the sweep.
        pictures: `(n_pictures, height, width, channels)`.
        lesions: Positions of the lesions.
        precision: One of `PRECISIONS`.
        rounding: Gap below which two logits are close.
        limits: Threshold of each lesion of the sweep, for a cascade.
        meter: Called with shares of the work.
    """
    if precision == "cascade":
        found = cascade.cascaded(evaluator, pictures, lesions, limits[lesions], meter)
        logits, redone, beyond = found
    else:
        logits = evaluator.logits(pictures, precision, lesions=lesions, progress=meter)
        redone = beyond = np.zeros(logits.shape[:2], bool)
    return {
        "predictions": logits.argmax(axis=-1).astype(np.int32),
        "n_close": (closeness.gaps(logits) < rounding).sum(axis=1),
        "n_redone": redone.sum(axis=1),
        "n_beyond": beyond.sum(axis=1),
        "peak_bytes": np.array(evaluator.peak_bytes),
    }
