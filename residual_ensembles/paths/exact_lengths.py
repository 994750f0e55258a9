"""The exact gradient by path length, over all 2^n paths.

One cotangent for each length is propagated backwards: at module i,
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

from residual_ensembles.arguments import checked
from residual_ensembles.paths import cotangents
from residual_ensembles.paths.linearization import LinearizedBatch, LinearizedModule
from residual_ensembles.runtime.executor import ignore

# float32 goes from 2^−126 to 2^127. Neighboring lengths share an exponent that keeps their largest
# number near 2^LARGEST_EXPONENT, if the others are smaller by at most the span. The rest of the
# range is for cotangents that shrink until the next rescaling, and for long lengths, which grow by
# the number of their paths.
LARGEST_EXPONENT = 40
EXPONENT_SPAN = 60
ROOM_BELOW = LARGEST_EXPONENT - EXPONENT_SPAN + 110
ROOM_ABOVE = 110 - LARGEST_EXPONENT
MAX_MODULES_PER_RESCALING = 8
# Exponents change in steps, so that few cotangents are multiplied.
EXPONENT_STEP = 16

# Largest error of the sum over lengths, relative to the gradient or, where paths cancel and single
# lengths are larger than the gradient, to the sum of their norms.
MAX_ERROR = 1e-5
MAX_ERROR_OF_NORMS = 2e-6


@dataclass(frozen=True)
class GradientByLength:
    """The gradient of a batch by path length."""

    lengths: np.ndarray
    """Path lengths of this chain in modules, `(lengths,)`."""
    log10_norms: np.ndarray
    """Base-10 logarithm of the norm of the sum over all paths of a length, `(lengths,)`."""
    shares: np.ndarray
    """Projection on the full gradient, ⟨G[k], G⟩ / ‖G‖², `(lengths,)`; they add up to 1."""
    log10_gradient_norm: float
    """Base-10 logarithm of the norm of the full gradient."""
    error: float
    """‖Σ G[k] − G‖ / ‖G‖; NaN where `max_length` left some out, or the gradient is 0."""


@checked
def batch_gradient_by_length(
    batch: LinearizedBatch,
    max_length: int | None = None,
    target: str = "y0",
    progress: Callable[[float], object] = ignore,
) -> GradientByLength:
    """Returns the exact gradient of a batch by path length.

    Args:
        batch: Linearized batch.
        max_length: Largest path length, in modules; None for all.
        target: "y0", or "image" for the gradient with respect to the input.
        progress: Called with 1 after each module.

    Raises:
        ValueError: There is no path so short, or no such target.
        ArithmeticError: The gradient is not finite, or the lengths do not add up to it.

    Example:
        >>> from residual_ensembles import paths
        >>> batch = paths.Linearization(chain).linearize(images, labels)
        >>> exact = batch_gradient_by_length(batch)
        >>> exact.lengths.tolist(), round(float(exact.shares.sum()), 5)
        ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 1.0)
    """
    gradient = batch.gradient(target)
    return backprop_by_length(batch, max_length, progress=progress).projected(
        gradient, lambda some: batch.at_target(some, target)
    )


def backprop_by_length(
    batch: LinearizedBatch,
    max_length: int | None = None,
    above: int = 0,
    progress: Callable[[float], object] = ignore,
) -> "CotangentsByLength":
    """Returns G[k] at the output of module `above` (0: at y_0), by the number of residuals passed.

    Cotangents of this batch that were computed down to a higher module are reused. `progress` is
    called with 1 after each module.
    """
    forced = sum(not module.products.has_skip for module in batch.modules[above:])
    longest = len(batch.modules) if max_length is None else max_length
    if longest < forced:
        raise ValueError(
            f"Received max_length={max_length}, expected {forced} or more: so many modules have no "
            "skip, and are on every path."
        )
    known = [key for key in batch.length_cache if key[0] == longest and key[1] >= above]
    _, start = min(known, default=(longest, len(batch.modules)))
    result = copy.copy(
        batch.length_cache.get((longest, start)) or CotangentsByLength(batch.cotangent, longest)
    )
    for module in reversed(batch.modules[above:start]):
        result.pass_through(module)
        progress(1)
    batch.length_cache[longest, above] = result
    return result


class CotangentsByLength:
    """One cotangent for each path length; neighbors of similar size share an exponent."""

    def __init__(self, cotangent, max_length: int):
        self.rows = [cotangent]
        self.exponents = np.zeros(1, int)  # of two; one for each row
        self.shortest = 0
        self.max_length = max_length
        self.n_passed = 0
        self._next_rescaling = 1
        self._last_rescaling = 0
        self._largest = None

    @property
    def longest(self) -> int:
        """Largest path length so far, in modules."""
        return self.shortest + len(self.rows) - 1

    def pass_through(self, module: LinearizedModule) -> None:
        """Propagates the cotangents backwards through a module."""
        if module.products.has_skip:
            self._pass_skip_and_residual(module)
        else:
            self._pass_residual_only(module)
        self.n_passed += 1
        if self.n_passed >= self._next_rescaling:
            self.rescale()

    def _pass_skip_and_residual(self, module: LinearizedModule) -> None:
        passed: list = []
        below = None
        for part in self._in_calls():
            first = len(passed)
            change = self.exponents[max(0, first - 1) : first] - self.exponents[first]
            if change.any():
                [below] = cotangents.multiplied([below], cotangents.factors(change))
            new, below = module.products.recurrence(module.saved, part, below)
            passed += new
        if self.longest < self.max_length:
            passed.append(below)
            self.exponents = np.append(self.exponents, self.exponents[-1])
        self.rows = passed

    def _in_calls(self) -> Iterator[list]:
        """Yields slices of the rows that share an exponent."""
        ends = np.flatnonzero(np.diff(self.exponents)) + 1
        for first, end in pairwise([0, *ends.tolist(), len(self.rows)]):
            yield from cotangents.in_calls(self.rows[first:end], self.rows[0])

    def _pass_residual_only(self, module: LinearizedModule) -> None:
        self.rows = cotangents.mapped(partial(module.products.residual, module.saved), self.rows)
        self.shortest += 1
        if self.longest > self.max_length:
            del self.rows[-1]
            self.exponents = self.exponents[:-1]

    def rescale(self) -> None:
        """Gives neighbors of similar size one exponent; see `LARGEST_EXPONENT`."""
        parts = cotangents.in_calls(self.rows, self.rows[0])
        largest = np.concatenate([cotangents.largest(some) for some in parts])
        sizes = self.exponents + cotangents.exponents(largest)
        exponents = _shared_exponents(sizes)
        shifts = self.exponents - exponents
        due = np.flatnonzero(shifts)
        moved = cotangents.mapped(_shifted, [self.rows[i] for i in due], shifts[due])
        by_row = dict(zip(due, moved, strict=True))
        self.rows = [by_row.get(i, row) for i, row in enumerate(self.rows)]
        self.exponents = exponents
        self._schedule_rescaling(sizes)

    def _schedule_rescaling(self, sizes: np.ndarray) -> None:
        """Sets after how many modules the cotangents are rescaled next."""
        falls = max([1, *(sizes[:-1] - sizes[1:])])  # by one length more: by one module more
        grows = 1
        if self._largest is not None:
            grows = (sizes.max() - self._largest) / (self.n_passed - self._last_rescaling)
        safe = min(ROOM_BELOW / falls, ROOM_ABOVE / max(1, grows))
        self._next_rescaling = self.n_passed + int(np.clip(safe, 1, MAX_MODULES_PER_RESCALING))
        self._last_rescaling, self._largest = self.n_passed, sizes.max()

    def projected(self, gradient, to_target: Callable) -> GradientByLength:
        """Returns norms of the cotangents and their projections on the full gradient.

        Both are with respect to the target; `to_target` maps a list of cotangents of y_0 to it.
        """
        full = cotangents.FullGradient(gradient)
        log10_norms, shares, total = [], [], 0.0
        parts = cotangents.in_calls(self.rows, self.rows[0])
        exponents_of_parts = cotangents.in_calls(self.exponents, self.rows[0])
        for part, exponents in zip(parts, exponents_of_parts, strict=True):
            near_one, shifts = cotangents.near_one(part)
            own = exponents + shifts
            at_target = to_target(near_one)
            log10_norms.append(cotangents.log10(cotangents.norms(at_target), own))
            shares.append(full.shares(at_target, own))
            total = total + cotangents.total(at_target, cotangents.factors(own - full.exponent))
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
        self, result: GradientByLength, total, full: cotangents.FullGradient
    ) -> GradientByLength:
        """Returns `result` with its error, an ArithmeticError where that is too large."""
        off = float(cotangents.norms([total - full.row])[0])
        norms = np.sum(10.0 ** (result.log10_norms - full.exponent * math.log10(2.0)))
        if not off <= max(MAX_ERROR * full.norm, MAX_ERROR_OF_NORMS * norms):
            raise ArithmeticError(
                "The gradient by path length adds up to something else than the gradient: off by "
                f"{off:.2e} where it is {full.norm:.2e}, expected {MAX_ERROR:.0e} of it or "
                "less."
            )
        return replace(result, error=off / full.norm if full.norm else float("nan"))


def _shifted(some: list, shifts: np.ndarray) -> list:
    """Returns rows times two to the power of `shifts`, in two factors that float32 can hold."""
    for part in (shifts // 2, shifts - shifts // 2):
        some = cotangents.multiplied(some, cotangents.factors(part)) if part.any() else some
    return some


def _shared_exponents(sizes: np.ndarray) -> np.ndarray:
    shared = largest_of_neighbors(sizes, EXPONENT_SPAN) - LARGEST_EXPONENT
    return shared // EXPONENT_STEP * EXPONENT_STEP


def largest_of_neighbors(sizes: np.ndarray, span: int) -> np.ndarray:
    """Returns, for each size, the largest in its run of neighbors that differ by `span` at most."""
    largest, first = np.array(sizes), 0
    for i in range(1, len(sizes) + 1):
        if i == len(sizes) or np.ptp(sizes[first : i + 1]) > span:
            largest[first:i] = max(sizes[first:i])
            first = i
    return largest


@checked
def weight_gradient(
    batch: LinearizedBatch, number: int, max_length: int | None = None
) -> GradientByLength:
    """Returns the exact gradient of one module's weights, by path length above the module.

    These are the "gradient updates" that paths contribute (section 4.2).

    Args:
        batch: Linearized batch.
        number: Number of the module, from 1; its own residual is not counted.
        max_length: Largest path length, in modules; None for all.

    Raises:
        ValueError: There is no such module, or no path so short.
        ArithmeticError: The lengths do not add up to the gradient.

    Example:
        >>> from residual_ensembles import paths
        >>> batch = paths.Linearization(chain).linearize(images, labels)
        >>> weight_gradient(batch, 8).lengths.tolist()  # one module is above it
        [0, 1]
    """
    if not 1 <= number <= len(batch.modules):
        raise ValueError(f"Received module {number}, expected 1 to {len(batch.modules)}.")
    module = batch.modules[number - 1]
    gradient = module.to_weights(batch.gradients[number])
    by_length = backprop_by_length(batch, max_length, above=number)
    return by_length.projected(gradient, lambda rows: [module.to_weights(row) for row in rows])


@checked
def share_by_module(batch: LinearizedBatch) -> np.ndarray:
    """Returns, for each module, the share of all paths that take its residual.

    The share is the projection on the full gradient with respect to y_0, as for lengths. A path of
    length k counts for each of its k modules, so the shares add up to the mean length under the
    shares by length.

    A cotangent from the residual of module i passes all modules below. Instead of one backward pass
    for each module, one forward pass propagates the gradient G as a tangent:
    ⟨Jᵀ Rᵢᵀ gᵢ, G⟩ = ⟨Rᵢᵀ gᵢ, J G⟩.

    Args:
        batch: Linearized batch.

    Returns:
        `(n_modules,)`; NaN where the gradient is 0.

    Example:
        >>> from residual_ensembles import paths
        >>> batch = paths.Linearization(chain).linearize(images, labels)
        >>> share_by_module(batch).shape
        (9,)
    """
    full = cotangents.FullGradient(batch.gradients[0])
    tangent, shares = full.row, []
    for module, cotangent in zip(batch.modules, batch.gradients[1:], strict=True):
        through = module.products.residual(module.saved, [cotangent])
        shares.append(full.shares(through, np.zeros(1, int), tangent))
        tangent = module.products.tangent(module.weights, module.y, tangent)
    return np.concatenate(shares)
