"""Paths through a network: how long they are, and how much gradient comes through them."""

from residual_ensembles.paths.by_module import share_by_module
from residual_ensembles.paths.draws import draw_batch, draw_paths
from residual_ensembles.paths.exact import ByLength, exact
from residual_ensembles.paths.lengths import (
    binomial,
    expected_length,
    n_paths,
    remaining,
    remaining_within,
    share_within,
)
from residual_ensembles.paths.point import BATCH_NORM, TARGETS, Linearization, Point
from residual_ensembles.paths.sampled import ByPath, sampled
from residual_ensembles.paths.weights import weight_gradient

__all__ = [
    "BATCH_NORM",
    "TARGETS",
    "ByLength",
    "ByPath",
    "Linearization",
    "Point",
    "binomial",
    "draw_batch",
    "draw_paths",
    "exact",
    "expected_length",
    "n_paths",
    "remaining",
    "remaining_within",
    "sampled",
    "share_by_module",
    "share_within",
    "weight_gradient",
]
