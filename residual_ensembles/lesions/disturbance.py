"""How far a network enlarges rounding by itself.

Before each step the last digit of every float32 number is moved, up or down at random, and the
logits are compared with those of the undisturbed network. Two programs that add the same numbers in
another order differ by about as much: of VGG-15, ResNet-110 and highway networks, whose logits are
moved by between two millionths and a twentieth, the engine and the reference differ by 0.6 to 1.2
times what one such disturbance says (`tests/lesions/test_exactness.py`). With some kernels it is
more: of a small VGG, whose sums have up to 4,608 terms, 1.1 times with Eigen's and 2.2 times with
oneDNN's. The largest of a few disturbances is less a matter of chance.
"""

from collections.abc import Callable, Sequence

import numpy as np
from keras import backend, ops

from residual_ensembles.lesions.lesion import Lesion
from residual_ensembles.lesions.reference import CompiledParts
from residual_ensembles.randomness import generator

DRAWS = 4
"""Disturbances of each lesion."""
LAST_DIGIT = float(np.finfo(np.float32).eps)
"""Of float32: distance from 1 to the next number."""


def disturbed(
    reference: CompiledParts, lesions: Sequence[Lesion], pictures: np.ndarray
) -> np.ndarray:
    """Returns logits `(DRAWS, n_lesions, n_pictures, n_classes)` with the last digits moved.

    Args:
        reference: The network.
        lesions: Any that it can bear.
        pictures: `(n_pictures, height, width, channels)`.
    """
    return np.stack(
        [
            [reference(lesion, pictures, _moving(draw)) for lesion in lesions]
            for draw in range(DRAWS)
        ]
    )


def _moving(draw: int) -> Callable:
    """Returns what moves last digits, from one call to the next in a seeded order.

    What travels in another type stays: of less than float32, other bounds hold.

    Args:
        draw: Which disturbance.
    """
    random = generator(draw, "last digits")

    def move(y):
        if backend.standardize_dtype(y.dtype) != "float32":
            return y
        signs = random.choice(np.float32([-1, 1]), size=tuple(y.shape))
        return y * ops.convert_to_tensor(1 + LAST_DIGIT * signs)

    return move
