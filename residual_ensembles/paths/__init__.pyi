from .by_module import share_by_module
from .draws import draw_batch, draw_paths
from .exact_lengths import ByLength, exact
from .lengths import binomial, expected_length, n_paths, remaining, remaining_within, share_within
from .path_gradients import gradient_by_length, sampled_path_gradients
from .point import Linearization, Point
from .sampled_paths import ByPath, sampled
from .weights import weight_gradient

__all__ = [
    "ByLength",
    "ByPath",
    "Linearization",
    "Point",
    "binomial",
    "draw_batch",
    "draw_paths",
    "exact",
    "expected_length",
    "gradient_by_length",
    "n_paths",
    "remaining",
    "remaining_within",
    "sampled",
    "sampled_path_gradients",
    "share_by_module",
    "share_within",
    "weight_gradient",
]
