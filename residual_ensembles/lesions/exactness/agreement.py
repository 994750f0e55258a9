"""Agreement of the engine with the reference implementation."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from residual_ensembles import backend
from residual_ensembles.lesions.engine.evaluator import Evaluator
from residual_ensembles.lesions.engine.reference import CompiledParts
from residual_ensembles.lesions.exactness.ties import (
    ROUNDING,
    logit_scale,
    relative_top2_margin,
    rounding_bound,
)
from residual_ensembles.lesions.lesion import Lesion
from residual_ensembles.statistics.randomness import generator

# Before each step every float32 number is moved up or down at random by one unit in the last place,
# and the logits are compared with those of the unperturbed network. Two programs that add the same
# numbers in another order differ by about as much: of VGG-15, ResNet-110 and highway networks,
# whose logits such a perturbation changes by two millionths to a twentieth, the engine and the
# reference differ by 0.6 to 1.2 times that (`tests/lesions/exactness/test_agreement.py`). With some
# kernels it is more: of a small VGG, whose sums have up to 4,608 terms, 1.1 times with Eigen's and
# 2.2 times with oneDNN's. The largest of a few perturbations depends less on chance.
N_PERTURBATIONS = 4
"""Perturbations of each lesion."""
ULP = float(np.finfo(np.float32).eps)
"""Unit in the last place of float32: distance from 1 to the next number."""


def perturbed_logits(
    reference: CompiledParts, lesions: Sequence[Lesion], images: np.ndarray
) -> np.ndarray:
    """Returns perturbed logits `(N_PERTURBATIONS, n_lesions, n_images, n_classes)`."""
    return np.stack(
        [
            [reference(lesion, images, _perturbation(draw)) for lesion in lesions]
            for draw in range(N_PERTURBATIONS)
        ]
    )


def _perturbation(draw: int) -> Callable:
    """Returns a function that moves numbers by one unit in the last place, seeded by `draw`.

    Only float32 numbers are moved: for smaller types other bounds hold.
    """
    random = generator(draw, "last digits")

    def perturb(y):
        if keras.backend.standardize_dtype(y.dtype) != "float32":
            return y
        signs = random.choice(np.array([-1, 1], np.float32), size=tuple(y.shape))
        return y * ops.convert_to_tensor(1 + ULP * signs)

    return perturb


SHARE = 1 / 8
"""Share of the lesions of a sweep that are compared with the reference."""
N_FIRST = 4
"""Lesions at the beginning of a plan that are always compared."""
N_IMAGES = 16
"""Images on which lesions are compared with the reference."""
MAX_DIFFERENCE = 1e-2
"""Relative difference of logits above which there is a mistake, and not rounding, unless the
network itself amplifies rounding that far."""
NOISE_FACTOR = 3.0
"""Largest difference of engine and reference, as a multiple of the network's own noise."""
MAX_DIFFERENCE_REDUCED = 0.3
"""`MAX_DIFFERENCE` of a network that computes in less than float32 by itself."""


class Agreement(NamedTuple):
    """Comparison of two evaluations of the same lesions with the same images."""

    n: int
    """Predictions compared."""
    n_different: int
    n_close: int
    """Predictions whose two best logits lie closer than rounding, in the reference."""
    n_unexplained: int
    """Predictions that differ although they are not close; in a sweep, given the bound that the
    differences of its other lesions make."""
    largest_relative_difference: float
    """Largest difference of a logit, as a share of the scale of its image."""
    self_noise: float = 0.0
    """Largest change of a logit by `perturbed_logits`, as the same share. Measured only where the
    difference is too large to be rounding in most networks, and 0 elsewhere."""


def agreement(
    logits: np.ndarray, reference: np.ndarray, rounding: float | np.ndarray = ROUNDING
) -> Agreement:
    """Compares logits of the engine, `(..., classes)`, with those of the reference.

    A prediction is close whose top-2 margin is below `rounding`, a share of the scale: a number, or
    an array that broadcasts with `(...,)`.
    """
    close = relative_top2_margin(reference) < rounding
    different = logits.argmax(axis=-1) != reference.argmax(axis=-1)
    return _agreement(different, close, differences(logits, reference))


def _agreement(
    different: np.ndarray, close: np.ndarray, relative: np.ndarray, self_noise: float = 0.0
) -> Agreement:
    return Agreement(
        n=different.size,
        n_different=int(different.sum()),
        n_close=int(close.sum()),
        n_unexplained=int((different & ~close).sum()),
        largest_relative_difference=float(relative.max(initial=0.0)),
        self_noise=self_noise,
    )


def differences(logits: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Returns the largest difference of the logits of each image, as a share of its scale."""
    return np.abs(logits - reference).max(axis=-1) / logit_scale(reference)


def bounds_of_others(differences: np.ndarray) -> np.ndarray:
    """Returns for each lesion the bound that all the others would give, `(n_lesions, 1)`.

    Its own differences, a row of `(n_lesions, n_images)`, must not count: a prediction that differs
    is always closer than ten times the largest of these.
    """
    largest = differences.max(axis=1)
    others = [np.delete(largest, i).max(initial=0.0) for i in range(len(largest))]
    return np.array([[rounding_bound(each)] for each in others])


def sampled_lesions(lesions: Sequence[Lesion], seed: int) -> np.ndarray:
    """Returns the positions of the lesions of a plan that are compared with the reference.

    A lesion is drawn independently of the others, or is one of the first: plans of a network begin
    in the same way, so that a larger plan compares the lesions of a smaller one and some more.
    """
    drawn = [generator(seed, "agreement", str(lesion)).random() < SHARE for lesion in lesions]
    drawn[:N_FIRST] = [True] * len(drawn[:N_FIRST])
    return np.flatnonzero(drawn)


def sampled_images(n_images: int, seed: int) -> np.ndarray:
    """Returns the positions of the images on which lesions are compared with the reference."""
    random = generator(seed, "agreement pictures")
    return np.sort(random.choice(n_images, min(N_IMAGES, n_images), replace=False))


FIELDS = {
    "difference": np.float32,
    "margin": np.float32,
    "different": bool,
    "self_noise": np.float32,
    "finite": bool,
}
"""Arrays that `compare` returns, by name, and their types."""


def compare(
    evaluator: Evaluator, images: np.ndarray, lesions: np.ndarray, _
) -> dict[str, np.ndarray]:
    """Compares the engine, in float32, with a plain run of the network.

    Returns:
        `(n_lesions, n_images)` each: the largest difference of logits, and the top-2 margin of the
        network itself, as shares of the largest logit; whether the predictions differ; where logits
        differ by more than `MAX_DIFFERENCE`, the noise of the network; and whether all logits are
        finite.
    """
    reference = CompiledParts(evaluator.chain, compile=lambda function: function)
    chosen = [evaluator.lesions[i] for i in lesions]
    logits = evaluator.logits(images, lesions=lesions)
    with backend.full_precision():
        expected = np.stack([reference(lesion, images) for lesion in chosen])
        result = differences(logits, expected)
        self_noise = np.zeros_like(result)
        far = np.flatnonzero(result.max(axis=1) > MAX_DIFFERENCE)
        if len(far):
            perturbed = perturbed_logits(reference, [chosen[i] for i in far], images)
            self_noise[far] = differences(perturbed, expected[far]).max(axis=0)
    return {
        "difference": result,
        "margin": relative_top2_margin(expected)
        if expected.shape[-1] > 1
        else np.full_like(result, np.inf),
        "different": logits.argmax(axis=-1) != expected.argmax(axis=-1),
        "self_noise": self_noise,
        "finite": (np.isfinite(expected) & np.isfinite(logits)).all(axis=-1),
    }


def agreement_of(
    difference: np.ndarray, margin: np.ndarray, different: np.ndarray, self_noise: np.ndarray
) -> Agreement:
    """Returns the agreement on a sample of lesions, from the results of `compare`."""
    close = margin < bounds_of_others(difference)
    return _agreement(different, close, difference, float(self_noise.max()))


def check_agreement(result: Agreement, chain) -> None:
    """Refuses a network whose logits the engine does not reproduce."""
    dtypes = {module.compute_dtype for module in chain.modules}
    largest = MAX_DIFFERENCE if dtypes <= {"float32", "float64"} else MAX_DIFFERENCE_REDUCED
    largest = max(largest, NOISE_FACTOR * result.self_noise)
    if not result.largest_relative_difference <= largest:
        raise ArithmeticError(
            f"Of {result.n} predictions of the lesion engine, logits differ from those of the "
            f"network itself by up to {result.largest_relative_difference:.2g} of the largest one, "
            f"expected less than {largest:.2g}: a module does something else when it is prepared "
            "for inference. Please report it, with the network."
        )
