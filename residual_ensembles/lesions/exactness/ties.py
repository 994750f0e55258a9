"""Ties: two logits too close, given rounding, to say which is larger."""

import numpy as np

ROUNDING = 1e-4
"""Bound on the change of a difference of two logits by float32 rounding, as a share of the largest.

The engine and the reference add the same numbers in another order. With random weights, a last
layer that is fitted and more than 500 lesions, logits of ResNet-110 differ by up to a quarter of
it. A network that amplifies small differences from module to module, as random highway networks
with open gates do, has a larger bound: `rounding_bound`. Compared with float64, the error of the
engine is no larger than that of the reference (`tests/lesions/exactness/test_agreement.py`).
"""
SAFETY = 10.0
"""The bound as a multiple of the largest difference on a sample."""


def rounding_bound(largest_relative_difference: float) -> float:
    """Returns a network's bound, from the difference of engine and reference on a sample."""
    return max(ROUNDING, SAFETY * largest_relative_difference)


def logit_scale(logits: np.ndarray) -> np.ndarray:
    """Returns the largest logit of each image without its sign, `(...,)` of `(..., classes)`."""
    return np.maximum(np.abs(logits).max(axis=-1), np.finfo(np.float32).tiny)


def relative_top2_margin(logits: np.ndarray) -> np.ndarray:
    """Returns the top-2 margin as a share of the scale."""
    with np.errstate(invalid="ignore"):  # of infinite logits, which are refused elsewhere
        return top2_margin(logits) / logit_scale(logits)


def top2_margin(logits: np.ndarray) -> np.ndarray:
    """Returns how far the largest logit lies above the second, `(...,)` of `(..., classes)`."""
    best_two = np.partition(logits, -2, axis=-1)[..., -2:]
    with np.errstate(invalid="ignore"):  # as above
        return best_two[..., 1] - best_two[..., 0]


def margin_error(logits: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Returns by how much the lead of the best class of `logits` over any other shrinks when exact.

    Where this is less than the top-2 margin, the prediction stays.

    Args:
        logits: `(..., classes)`.
        exact: The same logits in higher precision.

    Returns:
        In units of logits, `(...,)`: a confident image has larger logits but no larger rounding.
    """
    best = logits.argmax(axis=-1)[..., None]
    lead = np.take_along_axis(logits, best, -1) - logits
    exact_lead = np.take_along_axis(exact, best, -1) - exact
    return (lead - exact_lead).max(axis=-1)
