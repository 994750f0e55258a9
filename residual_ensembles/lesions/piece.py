"""A piece of a sweep: some lesions with some pictures, computed wherever there is room."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from residual_ensembles.lesions.meter import Meter
from residual_ensembles.lesions.subject import Subject


class Piece(NamedTuple):
    """What is computed by one task and kept in one file."""

    name: str
    """Of its file, unique within the sweep."""
    function: Callable
    """Called as `function(evaluator, pictures, lesions, *options, meter)`; returns arrays by
    name."""
    pictures: slice | np.ndarray
    """Positions of its pictures."""
    lesions: np.ndarray
    """Positions of its lesions."""
    options: tuple = ()
    n: int = 0
    """Predictions of the study that it makes; 0 where it makes none."""


def compute(
    subject: Subject,
    pictures: np.ndarray,
    function: Callable,
    lesions: Sequence[int],
    options: tuple,
    n: int,
    advance: Callable[[float], object],
) -> dict[str, np.ndarray]:
    """Computes one piece.

    Args:
        subject: The network and all lesions of the sweep.
        pictures: Those of the piece.
        function: The piece's.
        lesions: The piece's.
        options: The piece's.
        n: Predictions that it makes.
        advance: Called with the number of predictions that were made since the last call.
    """
    meter = Meter(advance, n)
    found = function(subject.evaluator, pictures, lesions, *options, meter)
    meter.finish()
    return found
