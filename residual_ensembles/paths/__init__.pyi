from .exact_lengths import (
    GradientByLength,
    batch_gradient_by_length,
    share_by_module,
    weight_gradient,
)
from .length_profile import LogLinearFit, effective_range, log_linear
from .lengths import binomial, expected_length, n_paths, remaining, remaining_within, share_within
from .linearization import Linearization, LinearizedBatch
from .path_gradients import gradient_by_length, sampled_path_gradients
from .sampled_paths import PathGradients, batch_path_gradients, draw_batch, draw_paths
from .study.gradient_study import GradientStudy

__all__ = [
    "GradientByLength",
    "GradientStudy",
    "Linearization",
    "LinearizedBatch",
    "LogLinearFit",
    "PathGradients",
    "batch_gradient_by_length",
    "batch_path_gradients",
    "binomial",
    "draw_batch",
    "draw_paths",
    "effective_range",
    "expected_length",
    "gradient_by_length",
    "log_linear",
    "n_paths",
    "remaining",
    "remaining_within",
    "sampled_path_gradients",
    "share_by_module",
    "share_within",
    "weight_gradient",
]
