"""What a piece of gradients may take in memory: a function of shapes, without running anything."""

import math
from collections.abc import Iterable

from residual_ensembles.gradients.cut import Piece
from residual_ensembles.gradients.study import GradientStudy
from residual_ensembles.paths.sampled_paths import NUMBERS_AT_ONCE

BYTES_PER_NUMBER = 4
"""In float32, as all gradients are taken apart."""
ROWS_AT_ONCE = 3
"""Cotangents of every length that are there together: before a module, behind it, and those at the
module whose weights are looked at."""
MAPS_OF_MODULE = 6
"""Feature maps that the way back through a module needs, of its size at most."""


def piece_bytes(study: GradientStudy, chain, pieces: Iterable[Piece]) -> int:
    """Returns what the largest of some pieces may take, beside the network.

    Args:
        study: What is measured.
        chain: The network.
        pieces: Of this network.
    """
    return max((_of_piece(study, chain, piece) for piece in pieces), default=0)


def _of_piece(study: GradientStudy, chain, piece: Piece) -> int:
    row = study.batch_size * max(map(math.prod, chain.shapes))
    point = len(chain.modules) * MAPS_OF_MODULE * row
    if piece.lengths is None:
        rows = ROWS_AT_ONCE * len(study.lengths(chain)) * row
    else:
        # Before a module and behind it.
        n_paths = len(piece.lengths) * study.paths_of_batch
        rows = 2 * max(row, min(n_paths * row, NUMBERS_AT_ONCE))
    return BYTES_PER_NUMBER * (point + rows)
