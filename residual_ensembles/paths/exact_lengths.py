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

from residual_ensembles.paths import rows, scale
from residual_ensembles.paths.point import Point, Step

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
class ByLength:
    """A gradient by path length."""

    lengths: np.ndarray
    """In modules, `(lengths,)`; those that paths of this chain have."""
    log10_norms: np.ndarray
    """Base-10 logarithm of the norm of the sum over all paths of a length, `(lengths,)`."""
    shares: np.ndarray
    """Projection on the whole gradient, ⟨G[k], G⟩ / ‖G‖², `(lengths,)`; they add up to 1."""
    log10_gradient_norm: float
    """Base-10 logarithm of the norm of the whole gradient."""
    error: float
    """‖Σ G[k] − G‖ / ‖G‖; NaN where only some lengths were carried, or the gradient is 0."""


def exact(point: Point, max_length: int | None = None, target: str = "y0") -> ByLength:
    """Returns the exact gradient of all paths of each length.

    Args:
        point: One batch.
        max_length: Longest length to carry, in modules; None for all.
        target: "y0", or "picture" for the gradient with respect to the input.

    Raises:
        ValueError: There is no path so short, or no such target.
        ArithmeticError: The parts do not add up to the gradient.
    """
    [gradient] = point.at_target(point.gradients[:1], target)
    return carry_back(point, max_length).measured(
        gradient, lambda some: point.at_target(some, target)
    )


def carry_back(point: Point, max_length: int | None = None, above: int = 0) -> "Lengths":
    """Returns G[k] at the output of module `above` (0: at y_0), by residuals passed so far.

    What was carried to a module above it for the same batch goes on from there.
    """
    forced = sum(not step.products.has_skip for step in point.steps[above:])
    longest = len(point.steps) if max_length is None else max_length
    if longest < forced:
        raise ValueError(
            f"Received max_length={max_length}, expected {forced} or more: so many modules have no "
            "skip, and are on every path."
        )
    known = [key for key in point.carried if key[0] == longest and key[1] >= above]
    _, start = min(known, default=(longest, len(point.steps)))
    lengths = point.carried.get((longest, start)) or Lengths(point.cotangent, longest)
    lengths = copy.copy(lengths)
    for step in reversed(point.steps[above:start]):
        lengths.pass_through(step)
    point.carried[longest, above] = lengths
    return lengths


class Lengths:
    """One cotangent for each length, neighbours of like size in one scale.

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
                [below] = scale.multiplied([below], scale.factors(change))
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
        """Gives neighbours of like size one scale, in which the largest is near 2^TOP."""
        parts = rows.in_calls(self.rows, self.rows[0])
        largest = np.concatenate([scale.largest(some) for some in parts])
        sizes = self.exponents + scale.exponents(largest)
        exponents = (scale_of_neighbours(sizes, SPAN) - TOP) // STEP * STEP
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

    def measured(self, gradient, to_target: Callable) -> ByLength:
        """Compares the cotangents with the whole gradient.

        Args:
            gradient: The ordinary gradient with respect to the target.
            to_target: From a list of cotangents of y_0 to those of the target.
        """
        whole = scale.Whole(gradient)
        log10_norms, shares, total = [], [], 0.0
        parts = (rows.in_calls(x, self.rows[0]) for x in (self.rows, self.exponents))
        for part, exponents in zip(*parts, strict=True):
            near_one, shifts = scale.near_one(part)
            own = exponents + shifts
            arrived = to_target(near_one)
            log10_norms.append(scale.log10(scale.norms(arrived), own))
            shares.append(whole.shares(arrived, own))
            total = total + scale.total(arrived, scale.factors(own - whole.exponent))
        by_length = ByLength(
            lengths=np.arange(self.shortest, self.longest + 1),
            log10_norms=np.concatenate(log10_norms),
            shares=np.concatenate(shares),
            log10_gradient_norm=whole.log10_norm,
            error=float("nan"),
        )
        complete = self.longest == self.n_passed
        return self._checked(by_length, total, whole) if complete else by_length

    def _checked(self, found: ByLength, total, whole: scale.Whole) -> ByLength:
        """Returns what was found, with its error.

        Raises:
            ArithmeticError: The error is too large.
        """
        off = float(scale.norms([total - whole.row])[0])
        parts = np.sum(10.0 ** (found.log10_norms - whole.exponent * math.log10(2.0)))
        if not off <= max(LARGEST_ERROR * whole.norm, LARGEST_ERROR_OF_PARTS * parts):
            raise ArithmeticError(
                "The gradient by path length adds up to something else than the gradient: off by "
                f"{off:.2e} where it is {whole.norm:.2e}, expected {LARGEST_ERROR:.0e} of it or "
                "less."
            )
        return replace(found, error=off / whole.norm if whole.norm else float("nan"))


def _shifted(some: list, shifts: np.ndarray) -> list:
    """Returns rows times two to these powers, which float32 need not have in one factor."""
    for part in (shifts // 2, shifts - shifts // 2):
        some = scale.multiplied(some, scale.factors(part)) if part.any() else some
    return some


def scale_of_neighbours(sizes: np.ndarray, span: int) -> np.ndarray:
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
