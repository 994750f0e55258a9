"""Paths through a network: how long they are, and how much gradient comes through them."""

from residual_ensembles.paths.lengths import (
    binomial,
    expected_length,
    n_paths,
    remaining,
    remaining_within,
    share_within,
)

__all__ = [
    "binomial",
    "expected_length",
    "n_paths",
    "remaining",
    "remaining_within",
    "share_within",
]
