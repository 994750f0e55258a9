"""The exact gradient of all paths of each length, all 2^n of them counted.

Backwards through the modules goes one cotangent for each length: at module i,
`G[k] ← Sᵢᵀ G[k] + Rᵢᵀ G[k−1]`. After n modules G[k] is the sum over all C(n, k) paths of length k,
and the sum over k is the ordinary gradient.
"""

from dataclasses import dataclass

import numpy as np
from keras import ops

from residual_ensembles.paths import scale
from residual_ensembles.paths.point import Point, Step

# Numbers in what goes through a module in one call: enough to keep the cores busy, little enough
# to stay in their caches.
NUMBERS_PER_CALL = 2**20

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
    [whole] = point.at_target(point.gradients()[0][None], target)
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
    lengths.rescale()
    return lengths


class Lengths:
    """One cotangent for each length, each with its own scale.

    Args:
        cotangent: What arrives at y_n, `(batch, ...)`.
        max_length: Longest length to carry.
    """

    complete = True

    def __init__(self, cotangent, max_length: int):
        self.chunks = [cotangent[None]]
        self.shortest = 0
        self.max_length = max_length
        self.exponents = np.zeros(1, int)  # of two; one for each length

    @property
    def longest(self) -> int:
        """Longest length carried, in modules."""
        return self.shortest + len(self.exponents) - 1

    def pass_through(self, step: Step) -> None:
        """Goes backwards through a module."""
        self._split(max(1, NUMBERS_PER_CALL // step.row_size))
        if step.products.has_skip:
            self._pass_either_way(step, max(1, NUMBERS_PER_CALL // step.row_size))
        else:
            self._pass_residual_only(step)

    def _pass_either_way(self, step: Step, most: int) -> None:
        ratios = scale.factors(np.diff(self.exponents, prepend=self.exponents[0]) * -1)
        grows = self.longest < self.max_length
        passed, below, first = [], ops.zeros_like(step.y)[None], 0
        for rows in self.chunks:
            own = ratios[first : first + rows.shape[0]]
            first += rows.shape[0]
            if grows and first == len(ratios) and rows.shape[0] < most:
                passed.append(step.products.grow(step.point, rows, below, own))
                break
            rows, below = step.products.step(step.point, rows, below, own)
            passed.append(rows)
        else:
            passed += [below] if grows else []
        self.chunks = passed
        if grows:
            self.exponents = np.append(self.exponents, self.exponents[-1])

    def _pass_residual_only(self, step: Step) -> None:
        self.chunks = [step.products.through(step.point, rows) for rows in self.chunks]
        self.shortest += 1
        if self.longest > self.max_length:
            self.exponents = self.exponents[:-1]
            self.chunks[-1] = self.chunks[-1][:-1]
            self.chunks = [rows for rows in self.chunks if rows.shape[0]]

    def _split(self, most: int) -> None:
        """Leaves no more than so many lengths in a chunk."""
        if self.chunks[0].shape[0] > most:
            self.chunks = [
                rows[i : i + most] for rows in self.chunks for i in range(0, rows.shape[0], most)
            ]

    def rescale(self) -> None:
        """Brings every cotangent near 1."""
        sizes = np.concatenate([np.asarray(scale.largest(rows)) for rows in self.chunks])
        shifts = scale.exponents(sizes)
        self.exponents = self.exponents + shifts
        factors = self._by_chunk(scale.factors(-shifts))
        self.chunks = [scale.multiplied(*pair) for pair in zip(self.chunks, factors, strict=True)]

    def measured(self, whole, to_target) -> ByLength:
        """Compares the cotangents with the whole gradient.

        Args:
            whole: The ordinary gradient, `(batch, ...)`.
            to_target: From cotangents of y_0, `(rows, batch, ...)`, to those of the target.
        """
        [top] = scale.exponents(scale.largest([whole]))
        [whole] = scale.multiplied([whole], scale.factors(np.array([-top])))
        chunks = [to_target(rows) for rows in self.chunks]
        weights = self._by_chunk(scale.factors(self.exponents - top))
        total = sum(scale.combined(*pair) for pair in zip(chunks, weights, strict=True))
        measures = [scale.measures(rows, whole) for rows in chunks]
        norms, products = (
            np.concatenate([np.asarray(x) for x in of]) for of in zip(*measures, strict=True)
        )
        return self._summary(norms, products, total, whole, top)

    def _by_chunk(self, values: np.ndarray) -> list[np.ndarray]:
        ends = np.cumsum([rows.shape[0] for rows in self.chunks])
        return np.split(values, ends[:-1])

    def _summary(self, norms, products, total, whole, top: int) -> ByLength:
        size, off = (float(scale.measures(x[None], x)[0][0]) for x in (whole, total - whole))
        parts = float(np.sum(np.ldexp(norms.astype(float), self.exponents - top)))
        if self.complete and not off <= max(LARGEST_ERROR * size, LARGEST_ERROR_OF_PARTS * parts):
            raise ArithmeticError(
                f"The gradient by path length adds up to something else than the gradient: off by "
                f"{off / size if size else off:.2e} of it, expected {LARGEST_ERROR:.0e} or less."
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.ldexp(products.astype(float), self.exponents - top) / np.float64(size) ** 2
            error = float(np.float64(off) / size) if self.complete else float("nan")
        return ByLength(
            lengths=np.arange(self.shortest, self.longest + 1),
            log10_norms=scale.log10(norms, self.exponents),
            shares=shares,
            log10_gradient_norm=float(scale.log10(size, top)),
            error=error,
        )
