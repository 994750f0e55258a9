"""Gradients of single paths, sampled as in the paper (section 4.2, figure 6b).

One forward pass serves many paths. They go backwards side by side: those that take a module's
residual pass through it as one stacked batch, those that take an identity skip cost nothing, and
paths that agree from the top down to some module are one until there.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from residual_ensembles.paths import scale
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
    order = np.lexsort(paths.T)  # neighbours agree at the top
    at_once = max(1, NUMBERS_AT_ONCE // max(step.row_size for step in point.steps))
    log10_norms, shares = np.empty(len(paths)), np.empty(len(paths))
    for first in range(0, len(paths), at_once):
        group = order[first : first + at_once]
        arrived = walk_back(point, paths[group])
        log10_norms[group], shares[group] = _measured(point, arrived, target)
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
            _rescale(arrived)
    return arrived


def _pass(arrived: list[Cotangent], going: np.ndarray, way: Callable, step: Step) -> None:
    """Replaces the cotangents of the paths `going` by what `way` makes of them."""
    after = {}
    for some in scale.in_calls(_distinct([arrived[i] for i in going])):
        rows = way(step.point, [cotangent.row for cotangent in some])
        for old, row in zip(some, rows, strict=True):
            after[id(old)] = Cotangent(row, old.exponent)
    for i in going:
        arrived[i] = after[id(arrived[i])]


def _distinct(cotangents: list[Cotangent]) -> list[Cotangent]:
    return list({id(cotangent): cotangent for cotangent in cotangents}.values())


def _rescale(arrived: list[Cotangent]) -> None:
    distinct = _distinct(arrived)
    rows, shifts = scale.near_one([cotangent.row for cotangent in distinct])
    for cotangent, row, shift in zip(distinct, rows, shifts, strict=True):
        cotangent.row = row
        cotangent.exponent += int(shift)


def _measured(point: Point, arrived: list[Cotangent], target: str):
    """Returns the logarithm of each path's norm, and its share of the whole gradient."""
    [whole], [top] = scale.near_one(point.at_target([point.gradients[0]], target))
    size = float(scale.measures([whole], whole)[0][0])
    distinct = _distinct(arrived)
    found = {}
    for some in scale.in_calls(distinct):
        rows = point.at_target([cotangent.row for cotangent in some], target)
        norms, products = (np.asarray(x, float) for x in scale.measures(rows, whole))
        exponents = np.array([cotangent.exponent for cotangent in some])
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.ldexp(products, exponents - top) / np.float64(size) ** 2
        for cotangent, *values in zip(some, scale.log10(norms, exponents), shares, strict=True):
            found[id(cotangent)] = values
    return np.array([found[id(cotangent)] for cotangent in arrived]).T


def _checked(point: Point, paths: np.ndarray) -> np.ndarray:
    paths = np.asarray(paths, bool)
    if paths.ndim != 2 or paths.shape[1] != len(point.steps):
        raise ValueError(
            f"Received paths of shape {paths.shape}, expected (paths, {len(point.steps)}): for "
            "each path, whether it takes the residual of each module."
        )
    for number, step in enumerate(point.steps, start=1):
        if not step.products.has_skip and not paths[:, number - 1].all():
            raise ValueError(
                f"Received a path around module {number}, which has no skip; expected all paths "
                "to take its residual."
            )
    return paths
