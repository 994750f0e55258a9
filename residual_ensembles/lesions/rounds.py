"""The rounds of one sweep: which pieces it needs next, and what comes of them together."""

from collections.abc import Generator

import numpy as np

from residual_ensembles.lesions import cascade, closeness
from residual_ensembles.lesions.cut import groups
from residual_ensembles.lesions.evaluator import Evaluator
from residual_ensembles.lesions.finite import NOT_FINITE, check_finite, predicted
from residual_ensembles.lesions.margin import UNKNOWN, Sampling
from residual_ensembles.lesions.meter import Meter
from residual_ensembles.lesions.piece import Piece
from residual_ensembles.lesions.subject import Subject
from residual_ensembles.lesions.together import Round
from residual_ensembles.pieces import Pieces

COUNTS = ("n_close", "n_redone", "n_beyond")
FOUND = ("predictions", *COUNTS, "peak_bytes")
"""What a piece finds, and what is known in the end."""


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
        """Returns the pieces of some lesions with no more pictures than one piece may have.

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

    def found(
        self, name: str, lesions: np.ndarray, parts: dict[int, object], names, function, *options
    ) -> Generator[Round, list, dict[str, np.ndarray]]:
        """Returns what pieces find of some lesions with all pictures of some parts, by name.

        Args:
            name: What the names of their files begin with.
            lesions: Positions.
            parts: By a number, pictures of which there are no more than one piece may have.
            names: What is kept of a piece.
            function: What computes a piece.
            *options: Its other arguments.
        """
        ranges = [
            self.cut(f"{name}-{number:08d}", lesions, part, function, *options)
            for number, part in parts.items()
        ]
        results = iter((yield self.round([piece for pieces in ranges for piece in pieces])))
        return _side_by_side(
            [_joined(pieces, [next(results) for _ in pieces], lesions, names) for pieces in ranges]
        )

    def parts(self, positions: np.ndarray, begin: int = 0) -> dict[int, np.ndarray]:
        """Returns pictures in parts that one piece may have, so that the memory holds them.

        Args:
            positions: Of the pictures.
            begin: Number of the first of them.
        """
        size = self.evaluator.grid.piece
        starts = range(0, len(positions), size)
        return {begin + start: positions[start : start + size] for start in starts}

    def check(self, seed: int) -> Generator[Round, list, cascade.Check]:
        """Evaluates every lesion with a few pictures in both precisions."""
        everyone = np.arange(len(self.evaluator.lesions))
        parts = self.parts(cascade.sample(len(self.pictures), seed))
        names = ("changed", "rounding")
        return cascade.checked(
            **(yield from self.found("precision", everyone, parts, names, cascade.compare))
        )

    def all_pictures(self, how: tuple) -> Generator[Round, list, dict[str, np.ndarray]]:
        """Evaluates every lesion with every picture."""
        everyone = np.arange(len(self.evaluator.lesions))
        parts = {part.start: part for part in self.evaluator.grid.pieces()}
        found = yield from self.found("piece", everyone, parts, FOUND, predict, *how)
        self._check_finite(found["predictions"])
        return found

    def _check_finite(self, predictions, lesions=None, examples=None) -> None:
        some = (
            self.subject.lesions if lesions is None else [self.subject.lesions[i] for i in lesions]
        )
        check_finite(self.subject.chain, some, predictions == NOT_FINITE, examples)

    def sampled_pictures(
        self, sampling: Sampling, labels, how: tuple
    ) -> Generator[Round, list, dict[str, np.ndarray]]:
        """Evaluates every lesion with as many pictures as it takes, round by round."""
        n_lesions, n_pictures = sampling.known.shape
        found = {"predictions": np.full((n_lesions, n_pictures), UNKNOWN, np.int32)}
        found |= {name: np.zeros(n_lesions, int) for name in COUNTS} | {"peak_bytes": 0}
        while len(positions := sampling.next_pictures()):
            active, parts = sampling.active, self.parts(positions, sampling.n_known)
            new = yield from self.found("round", active, parts, FOUND, predict, *how)
            self._check_finite(new["predictions"], active, positions)
            found["predictions"][np.ix_(active, positions)] = new["predictions"]
            for count in COUNTS:
                found[count][active] += new[count]
            found["peak_bytes"] = max(found["peak_bytes"], new["peak_bytes"])
            sampling.record(positions, new["predictions"] != labels[positions])
        return found


def _side_by_side(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Returns what was found with some pictures after others, together.

    What has a row for each lesion and a column for each picture is put side by side, what was
    counted for each lesion is added up, and of a single number the largest counts.
    """
    how = {2: lambda found: np.concatenate(found, axis=1), 1: sum, 0: max}
    return {
        name: how[np.ndim(first)]([part[name] for part in parts])
        for name, first in parts[0].items()
    }


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
        precision: One of `LESION_PRECISIONS`.
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
        "predictions": predicted(logits),
        "n_close": (closeness.gaps(logits) < rounding).sum(axis=1),
        "n_redone": redone.sum(axis=1),
        "n_beyond": beyond.sum(axis=1),
        "peak_bytes": np.array(evaluator.peak_bytes),
    }
