"""Gradients of single paths, sampled as in the paper (section 4.2, figure 6b).

One forward pass serves many paths. They go backwards side by side: those that take a module's
residual pass through it as one stacked batch, those that take an identity skip cost nothing, and
paths that agree from the top down to some module are one until there.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from keras import ops

from residual_ensembles.paths import scale
from residual_ensembles.paths.exact import NUMBERS_PER_CALL
from residual_ensembles.paths.point import Point, Step

# Numbers in the cotangents that are kept at a time; more paths go in groups (half a gigabyte).
NUMBERS_AT_ONCE = 2**27


@dataclass(frozen=True)
class ByPath:
    """Gradients of single paths."""

    log10_norms: np.ndarray
    """Base-10 logarithm of each path's norm, `(paths,)`; −inf for a norm of 0."""
    shares: np.ndarray
    """Projection on the whole gradient, ⟨g, G⟩ / ‖G‖², `(paths,)`; those of all 2^n add up to 1."""


@dataclass(eq=False)
class Cotangent:
    """What has arrived on the way back, `(batch, ...)`, times two to the power `exponent`."""

    row: object
    exponent: int = 0


def sampled(point: Point, paths: np.ndarray, target: str = "y0") -> ByPath:
    """Returns the gradients that come through single paths.

    Args:
        point: One batch.
        paths: Which residuals each path takes, bool, `(paths, n_modules)`.
        target: "y0", or "picture" for the gradient with respect to the input.

    Raises:
        ValueError: A path skips a module that has no skip, or there is no such target.
    """
    paths = _checked(point, paths)
    [whole] = point.at_target(point.gradients()[0][None], target)
    order = np.lexsort(paths.T)  # neighbours agree at the top
    at_once = max(1, NUMBERS_AT_ONCE // max(step.row_size for step in point.steps))
    log10_norms, shares = np.empty(len(paths)), np.empty(len(paths))
    for first in range(0, len(paths), at_once):
        group = order[first : first + at_once]
        arrived = walk_back(point, paths[group])
        log10_norms[group], shares[group] = _measured(point, arrived, whole, target)
    return ByPath(log10_norms, shares)


def walk_back(point: Point, paths: np.ndarray) -> list[Cotangent]:
    """Returns what arrives at y_0 through each path; paths that agree share it."""
    arrived = [Cotangent(point.cotangent)] * len(paths)
    for number in range(len(point.steps), 0, -1):
        step, takes = point.steps[number - 1], paths[:, number - 1]
        _pass(arrived, np.flatnonzero(takes), step.products.residual, step)
        if not step.skips_freely:
            _pass(arrived, np.flatnonzero(~takes), step.products.skip, step)
        if (number - 1) % scale.MODULES_BETWEEN == 0:
            _rescale(arrived, step.row_size)
    return arrived


def _pass(arrived: list[Cotangent], going: np.ndarray, way: Callable, step: Step) -> None:
    """Replaces the cotangents of the paths `going` by what `way` makes of them."""
    before = list({id(arrived[i]): arrived[i] for i in going}.values())
    after = {}
    for some in _in_calls(before, max(1, NUMBERS_PER_CALL // step.row_size)):
        rows = way(step.point, [c.row for c in some])
        for old, row in zip(some, rows, strict=True):
            after[id(old)] = Cotangent(row, old.exponent)
    for i in going:
        arrived[i] = after[id(arrived[i])]


def _in_calls(cotangents: list, most: int):
    """Yields parts whose sizes are powers of two, so that few shapes are compiled."""
    first = 0
    while first < len(cotangents):
        size = 1 << (min(most, len(cotangents) - first).bit_length() - 1)
        yield cotangents[first : first + size]
        first += size


def _rescale(arrived: list[Cotangent], row_size: int) -> None:
    distinct = list({id(c): c for c in arrived}.values())
    for some in _in_calls(distinct, max(1, NUMBERS_PER_CALL // row_size)):
        shifts = scale.exponents(scale.largest([c.row for c in some]))
        rows = scale.multiplied([c.row for c in some], scale.factors(-shifts))
        for cotangent, row, shift in zip(some, rows, shifts, strict=True):
            cotangent.row = row
            cotangent.exponent += int(shift)


def _measured(point: Point, arrived: list[Cotangent], whole, target: str):
    """Returns the logarithm of each path's norm, and its share of the whole gradient."""
    row_size = math.prod(whole.shape)
    [top] = scale.exponents(scale.largest([whole]))
    [whole] = scale.multiplied([whole], scale.factors(np.array([-top])))
    size = np.linalg.norm(np.asarray(whole, np.float64))
    distinct = list({id(c): c for c in arrived}.values())
    found = {}
    for some in _in_calls(distinct, max(1, NUMBERS_PER_CALL // row_size)):
        rows = point.at_target(ops.stack([c.row for c in some]), target)
        norms, products = (np.asarray(x, np.float64) for x in scale.measures(rows, whole))
        exponents = np.array([c.exponent for c in some])
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.ldexp(products, exponents - top) / size**2
        for cotangent, *values in zip(some, scale.log10(norms, exponents), shares, strict=True):
            found[id(cotangent)] = values
    return np.array([found[id(c)] for c in arrived]).T


def _checked(point: Point, paths: np.ndarray) -> np.ndarray:
    paths = np.asarray(paths, bool)
    if paths.ndim != 2 or paths.shape[1] != len(point.steps):
        raise ValueError(
            f"Received paths of shape {paths.shape}, expected (paths, {len(point.steps)}): for "
            "each path, whether it takes the residual of each module."
        )
    for number, step in enumerate(point.steps, start=1):
        if not step.products.has_skip and not paths[:, number - 1].all():
            raise ValueError(f"Received a path around module {number}, which has no skip.")
    return paths
