"""The exact gradient of all paths of each length, all 2^n of them counted.

Backwards through the modules goes one cotangent for each length: at module i,
`G[k] ← Sᵢᵀ G[k] + Rᵢᵀ G[k−1]`. After n modules G[k] is the sum over all C(n, k) paths of length k,
and the sum over k is the ordinary gradient.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from residual_ensembles.paths import scale
from residual_ensembles.paths.point import Point, Step

# Neighbouring lengths share a scale while their sizes are within so many powers of two; the largest
# of them is kept there, so that the smallest is near 1, and float32 has room above and below.
SPAN = 60

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
    [whole] = point.at_target([point.gradients[0]], target)
    return carry_back(point, max_length).measured(whole, lambda rows: point.at_target(rows, target))


def carry_back(point: Point, max_length: int | None = None, above: int = 0) -> "Lengths":
    """Returns G[k] at the output of module `above` (0: at y_0), by residuals passed so far."""
    forced = sum(not step.products.has_skip for step in point.steps[above:])
    longest = len(point.steps) - above
    if max_length is not None and not forced <= max_length:
        raise ValueError(
            f"Received max_length={max_length}, expected {forced} or more: so many modules have no "
            "skip, and are on every path."
        )
    lengths = Lengths(point.cotangent, longest if max_length is None else min(max_length, longest))
    lengths.complete = lengths.max_length == longest
    for passed, step in enumerate(reversed(point.steps[above:]), start=1):
        lengths.pass_through(step)
        if passed % scale.MODULES_BETWEEN == 0:
            lengths.rescale()
    return lengths


class Lengths:
    """One cotangent for each length, with a scale for every few.

    Args:
        cotangent: What arrives at y_n, `(batch, ...)`.
        max_length: Longest length to carry.
    """

    complete = True

    def __init__(self, cotangent, max_length: int):
        self.rows = [cotangent]
        self.exponents = np.zeros(1, int)  # of two; one for each row
        self.shortest = 0
        self.max_length = max_length

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

    def _pass_either_way(self, step: Step) -> None:
        passed, below = [], None
        for rows in self._in_calls():
            ratio, first = None, len(passed)
            if first:
                ratio = scale.factors(self.exponents[first - 1 : first] - self.exponents[first])
            rows, below = step.products.either(step.point, rows, below, ratio)
            passed += rows
        if self.longest < self.max_length:
            passed.append(below)
            self.exponents = np.append(self.exponents, self.exponents[-1])
        self.rows = passed

    def _in_calls(self) -> Iterator[list]:
        """Yields the rows in parts that have one scale."""
        ends = np.flatnonzero(np.diff(self.exponents)) + 1
        for first, end in pairwise([0, *ends.tolist(), len(self.rows)]):
            yield from scale.in_calls(self.rows[first:end])

    def _pass_residual_only(self, step: Step) -> None:
        passed = [step.products.residual(step.point, rows) for rows in scale.in_calls(self.rows)]
        self.rows = [row for rows in passed for row in rows]
        self.shortest += 1
        if self.longest > self.max_length:
            del self.rows[-1]
            self.exponents = self.exponents[:-1]

    def rescale(self) -> None:
        """Gives neighbours of like size one scale, in which the largest is near 2^SPAN."""
        parts = list(scale.in_calls(self.rows))
        shifts = np.concatenate([scale.exponents(scale.largest(rows)) for rows in parts])
        exponents = scale_of_neighbours(self.exponents + shifts, SPAN) - SPAN
        factors = scale.in_calls(scale.factors(self.exponents - exponents))
        pairs = zip(parts, factors, strict=True)
        self.rows = [row for pair in pairs for row in scale.multiplied(*pair)]
        self.exponents = exponents

    def measured(self, whole, to_target: Callable[[list], list]) -> ByLength:
        """Compares the cotangents with the whole gradient.

        Args:
            whole: The ordinary gradient.
            to_target: From cotangents of y_0 to those of the target, as lists.
        """
        [whole], [top] = scale.near_one([whole])
        rows, shifts = scale.near_one(self.rows)
        exponents = self.exponents + shifts
        norms, products, total = [], [], 0.0
        for some in scale.in_calls(rows):
            first = len(norms)
            arrived = to_target(some)
            weights = scale.factors(exponents[first : first + len(some)] - top)
            for values, found in zip(
                (norms, products), scale.measures(arrived, whole), strict=True
            ):
                values.extend(np.asarray(found, float))
            total = total + sum(scale.multiplied(arrived, weights))
        return self._summary(np.array(norms), np.array(products), exponents, total, whole, top)

    def _summary(self, norms, products, exponents, total, whole, top: int) -> ByLength:
        size, off = (float(scale.measures([x], x)[0][0]) for x in (whole, total - whole))
        parts = float(np.sum(np.ldexp(norms, exponents - top)))
        if self.complete and not off <= max(LARGEST_ERROR * size, LARGEST_ERROR_OF_PARTS * parts):
            raise ArithmeticError(
                f"The gradient by path length adds up to something else than the gradient: off by "
                f"{off / size if size else off:.2e} of it, expected {LARGEST_ERROR:.0e} or less."
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.ldexp(products, exponents - top) / np.float64(size) ** 2
            error = float(np.float64(off) / size) if self.complete else float("nan")
        return ByLength(
            lengths=np.arange(self.shortest, self.longest + 1),
            log10_norms=scale.log10(norms, exponents),
            shares=shares,
            log10_gradient_norm=float(scale.log10(size, top)),
            error=error,
        )


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
