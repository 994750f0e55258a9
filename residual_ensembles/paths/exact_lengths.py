"""The exact gradient of all paths of each length, all 2^n of them counted.

Backwards through the modules goes one cotangent for each length: at module i,
`G[k] ← Sᵢᵀ G[k] + Rᵢᵀ G[k−1]`. After n modules G[k] is the sum over all C(n, k) paths of length k,
and the sum over k is the ordinary gradient.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np

from residual_ensembles.paths import rows, scaled_cotangents
from residual_ensembles.paths.linearization import LinearizedBatch, Step

# float32 goes from 2^−126 to 2^127. A scale keeps its largest number near 2^TOP, and lets lengths
# in that are smaller by no more than the span. What is left is for what shrinks until sizes are
# looked at again, and for what grows: the long lengths, by the number of their paths.
TOP = 40
SPAN = 60
ROOM_BELOW = TOP - SPAN + 110
ROOM_ABOVE = 110 - TOP
MOST_MODULES_BETWEEN = 8
# Scales move in steps, so that few cotangents are multiplied.
STEP = 16

# How far the sum of the parts may be from the gradient. Where paths cancel, the parts are larger
# than the gradient, and it is their rounding that counts.
LARGEST_ERROR = 1e-5
LARGEST_ERROR_OF_PARTS = 2e-6


@dataclass(frozen=True)
class GradientByLength:
    """A gradient by path length."""

    lengths: np.ndarray
    """In modules, `(lengths,)`; those that paths of this chain have."""
    log10_norms: np.ndarray
    """Base-10 logarithm of the norm of the sum over all paths of a length, `(lengths,)`."""
    shares: np.ndarray
    """Projection on the full gradient, ⟨G[k], G⟩ / ‖G‖², `(lengths,)`; they add up to 1."""
    log10_gradient_norm: float
    """Base-10 logarithm of the norm of the full gradient."""
    error: float
    """‖Σ G[k] − G‖ / ‖G‖; NaN where only some lengths were carried, or the gradient is 0."""


def batch_gradient_by_length(
    batch: LinearizedBatch, max_length: int | None = None, target: str = "y0"
) -> GradientByLength:
    """Returns the exact gradient of all paths of each length.

    Args:
        batch: One batch.
        max_length: Longest length to carry, in modules; None for all.
        target: "y0", or "image" for the gradient with respect to the input.

    Raises:
        ValueError: There is no path so short, or no such target.
        ArithmeticError: The parts do not add up to the gradient.
    """
    [gradient] = batch.at_target(batch.gradients[:1], target)
    return backprop_by_length(batch, max_length).measured(
        gradient, lambda some: batch.at_target(some, target)
    )


def backprop_by_length(
    batch: LinearizedBatch, max_length: int | None = None, above: int = 0
) -> "Lengths":
    """Returns G[k] at the output of module `above` (0: at y_0), by residuals passed so far.

    What was carried to a module above it for the same batch goes on from there.
    """
    forced = sum(not step.products.has_skip for step in batch.steps[above:])
    longest = len(batch.steps) if max_length is None else max_length
    if longest < forced:
        raise ValueError(
            f"Received max_length={max_length}, expected {forced} or more: so many modules have no "
            "skip, and are on every path."
        )
    known = [key for key in batch.length_cache if key[0] == longest and key[1] >= above]
    _, start = min(known, default=(longest, len(batch.steps)))
    lengths = batch.length_cache.get((longest, start)) or Lengths(batch.cotangent, longest)
    lengths = copy.copy(lengths)
    for step in reversed(batch.steps[above:start]):
        lengths.pass_through(step)
    batch.length_cache[longest, above] = lengths
    return lengths


class Lengths:
    """One cotangent for each length, neighbors of like size in one scale.

    Args:
        cotangent: What arrives at y_n, `(batch, ...)`.
        max_length: Longest length to carry.
    """

    def __init__(self, cotangent, max_length: int):
        self.rows = [cotangent]
        self.exponents = np.zeros(1, int)  # of two; one for each row
        self.shortest = 0
        self.max_length = max_length
        self.n_passed = 0
        self._rescale_at = 1
        self._rescaled_at = 0
        self._largest = None

    @property
    def longest(self) -> int:
        """Longest length carried, in modules."""
        return self.shortest + len(self.rows) - 1

    def pass_through(self, step: Step) -> None:
        """Goes backwards through a module."""
        if step.products.has_skip:
            self._pass_either_way(step)
        else:
            self._pass_residual_only(step)
        self.n_passed += 1
        if self.n_passed >= self._rescale_at:
            self.rescale()

    def _pass_either_way(self, step: Step) -> None:
        passed, below = [], None
        for part in self._in_calls():
            first = len(passed)
            change = self.exponents[max(0, first - 1) : first] - self.exponents[first]
            if change.any():
                [below] = scaled_cotangents.multiplied([below], scaled_cotangents.factors(change))
            new, below = step.products.either(step.point, part, below)
            passed += new
        if self.longest < self.max_length:
            passed.append(below)
            self.exponents = np.append(self.exponents, self.exponents[-1])
        self.rows = passed

    def _in_calls(self) -> Iterator[list]:
        """Yields the rows in parts that have one scale."""
        ends = np.flatnonzero(np.diff(self.exponents)) + 1
        for first, end in pairwise([0, *ends.tolist(), len(self.rows)]):
            yield from rows.in_calls(self.rows[first:end], self.rows[0])

    def _pass_residual_only(self, step: Step) -> None:
        self.rows = rows.mapped(partial(step.products.residual, step.point), self.rows)
        self.shortest += 1
        if self.longest > self.max_length:
            del self.rows[-1]
            self.exponents = self.exponents[:-1]

    def rescale(self) -> None:
        """Gives neighbors of like size one scale, in which the largest is near 2^TOP."""
        parts = rows.in_calls(self.rows, self.rows[0])
        largest = np.concatenate([scaled_cotangents.largest(some) for some in parts])
        sizes = self.exponents + scaled_cotangents.exponents(largest)
        exponents = (scale_of_neighbors(sizes, SPAN) - TOP) // STEP * STEP
        shifts = self.exponents - exponents
        due = np.flatnonzero(shifts)
        moved = rows.mapped(_shifted, [self.rows[i] for i in due], shifts[due])
        moved = dict(zip(due, moved, strict=True))
        self.rows = [moved.get(i, row) for i, row in enumerate(self.rows)]
        self.exponents = exponents
        self._plan(sizes)

    def _plan(self, sizes: np.ndarray) -> None:
        """Decides after how many modules sizes are looked at again."""
        falls = max([1, *(sizes[:-1] - sizes[1:])])  # by one length more: by one module more
        grows = 1
        if self._largest is not None:
            grows = (sizes.max() - self._largest) / (self.n_passed - self._rescaled_at)
        safe = min(ROOM_BELOW / falls, ROOM_ABOVE / max(1, grows))
        self._rescale_at = self.n_passed + int(np.clip(safe, 1, MOST_MODULES_BETWEEN))
        self._rescaled_at, self._largest = self.n_passed, sizes.max()

    def measured(self, gradient, to_target: Callable) -> GradientByLength:
        """Compares the cotangents with the full gradient.

        Args:
            gradient: The ordinary gradient with respect to the target.
            to_target: From a list of cotangents of y_0 to those of the target.
        """
        full = scaled_cotangents.FullGradient(gradient)
        log10_norms, shares, total = [], [], 0.0
        parts = (rows.in_calls(x, self.rows[0]) for x in (self.rows, self.exponents))
        for part, exponents in zip(*parts, strict=True):
            near_one, shifts = scaled_cotangents.near_one(part)
            own = exponents + shifts
            arrived = to_target(near_one)
            log10_norms.append(scaled_cotangents.log10(scaled_cotangents.norms(arrived), own))
            shares.append(full.shares(arrived, own))
            total = total + scaled_cotangents.total(
                arrived, scaled_cotangents.factors(own - full.exponent)
            )
        by_length = GradientByLength(
            lengths=np.arange(self.shortest, self.longest + 1),
            log10_norms=np.concatenate(log10_norms),
            shares=np.concatenate(shares),
            log10_gradient_norm=full.log10_norm,
            error=float("nan"),
        )
        complete = self.longest == self.n_passed
        return self._checked(by_length, total, full) if complete else by_length

    def _checked(
        self, result: GradientByLength, total, full: scaled_cotangents.FullGradient
    ) -> GradientByLength:
        """Returns what was found, with its error.

        Raises:
            ArithmeticError: The error is too large.
        """
        off = float(scaled_cotangents.norms([total - full.row])[0])
        parts = np.sum(10.0 ** (result.log10_norms - full.exponent * math.log10(2.0)))
        if not off <= max(LARGEST_ERROR * full.norm, LARGEST_ERROR_OF_PARTS * parts):
            raise ArithmeticError(
                "The gradient by path length adds up to something else than the gradient: off by "
                f"{off:.2e} where it is {full.norm:.2e}, expected {LARGEST_ERROR:.0e} of it or "
                "less."
            )
        return replace(result, error=off / full.norm if full.norm else float("nan"))


def _shifted(some: list, shifts: np.ndarray) -> list:
    """Returns rows times two to these powers, which float32 need not have in one factor."""
    for part in (shifts // 2, shifts - shifts // 2):
        some = (
            scaled_cotangents.multiplied(some, scaled_cotangents.factors(part))
            if part.any()
            else some
        )
    return some


def scale_of_neighbors(sizes: np.ndarray, span: int) -> np.ndarray:
    """Returns, for each size, the largest of the run that it is in.

    Args:
        sizes: Powers of two, in the order of the lengths.
        span: By how much the sizes of one run may differ.
    """
    largest, first = np.array(sizes), 0
    for i in range(1, len(sizes) + 1):
        if i == len(sizes) or np.ptp(sizes[first : i + 1]) > span:
            largest[first:i] = max(sizes[first:i])
            first = i
    return largest


# The paper speaks of the paths that contribute "gradient updates" (section 4.2); this is what they
# contribute to.


def weight_gradient(
    batch: LinearizedBatch, number: int, max_length: int | None = None
) -> GradientByLength:
    """Returns the exact gradient of one module's weights, by residuals passed above the module.

    Args:
        batch: One batch.
        number: The module, from 1. Its own residual is not counted.
        max_length: Longest way to carry, in modules; None for all.

    Raises:
        ValueError: There is no such module, or no way so short.
        ArithmeticError: The parts do not add up to the gradient.
    """
    if not 1 <= number <= len(batch.steps):
        raise ValueError(f"Received module {number}, expected 1 to {len(batch.steps)}.")
    step = batch.steps[number - 1]
    gradient = step.to_weights(batch.gradients[number])
    arrived = backprop_by_length(batch, max_length, above=number)
    return arrived.measured(gradient, lambda rows: [step.to_weights(row) for row in rows])


def share_by_module(batch: LinearizedBatch) -> np.ndarray:
    """Returns, for each module, the share of all paths that take its residual.

    The share is the projection on the full gradient with respect to y_0, as for lengths. A path of
    length k counts for each of its k modules, so the shares add up to the mean length under the
    shares by length.

    What comes through the residual of module i goes on through everything below it. Instead of
    sending one cotangent down from each module, the gradient G is sent up once, as a tangent:
    ⟨Jᵀ Rᵢᵀ gᵢ, G⟩ = ⟨Rᵢᵀ gᵢ, J G⟩.

    Args:
        batch: One batch.

    Returns:
        `(n_modules,)`; NaN where the gradient is 0.
    """
    cotangents = batch.gradients
    full = scaled_cotangents.FullGradient(cotangents[0])
    tangent, shares = full.row, []
    for step, cotangent in zip(batch.steps, cotangents[1:], strict=True):
        through = step.products.residual(step.point, [cotangent])
        shares.append(full.shares(through, np.zeros(1, int), tangent))
        tangent = step.products.tangent(step.weights, step.y, tangent)
    return np.concatenate(shares)
