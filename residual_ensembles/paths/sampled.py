"""Gradients of single paths, sampled as in the paper (section 4.2, figure 6b).

One forward pass serves many paths. They go backwards side by side: those that take a module's
residual pass through it as one stacked batch, those that take an identity skip cost nothing, and
paths that agree from the top down to some module are one until there.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from residual_ensembles import backend
from residual_ensembles.paths import rows, scale
from residual_ensembles.paths.point import Point, Step

# Numbers in the cotangents that are kept at a time; more paths go in groups (half a gigabyte).
NUMBERS_AT_ONCE = 2**27


@dataclass(frozen=True)
class ByPath:
    """Gradients of single paths."""

    log10_norms: np.ndarray
    """Base-10 logarithm of each path's norm, `(paths,)`; −inf for a norm of 0."""
    shares: np.ndarray
    """Projection on the whole gradient, ⟨g, G⟩ / ‖G‖², `(paths,)`; those of all 2^n add up to 1.
    NaN where they were not asked for, or the gradient is 0."""


@dataclass(eq=False)
class Cotangent:
    """What has arrived on the way back, `(batch, ...)`, times two to the power `exponent`."""

    row: object
    exponent: int = 0
    products: int = 0
    """How many it went through since it was near 1."""

    def passed_on(self, row) -> "Cotangent":
        """Returns what a module made of it."""
        return Cotangent(row, self.exponent, self.products + 1)


def sampled(point: Point, paths: np.ndarray, target: str = "y0", shares: bool = True) -> ByPath:
    """Returns the gradients that come through single paths.

    Args:
        point: One batch.
        paths: Which residuals each path takes, bool, `(paths, n_modules)`.
        target: "y0", or "picture" for the gradient with respect to the input.
        shares: Whether to project on the whole gradient, which costs an ordinary pass.

    Raises:
        ValueError: A path skips a module that has no skip, or there is no such target.
    """
    paths = _checked(point, paths)
    order = np.lexsort(paths.T)  # neighbours agree at the top
    at_once = max(1, NUMBERS_AT_ONCE // max(step.row_size for step in point.steps))
    whole = scale.Whole(point.at_target(point.gradients[0][None], target)[0]) if shares else None
    found = np.empty((2, len(paths)))
    for first in range(0, len(paths), at_once):
        group = order[first : first + at_once]
        found[:, group] = _measured(point, walk_back(point, paths[group]), target, whole)
    return ByPath(*found)


def walk_back(point: Point, paths: np.ndarray) -> list[Cotangent]:
    """Returns what arrives at y_0 through each path; paths that agree share it."""
    arrived = [Cotangent(point.cotangent)] * len(paths)
    for step, takes in zip(reversed(point.steps), paths.T[::-1], strict=True):
        _pass(arrived, np.flatnonzero(takes), step.products.residual, step)
        if not step.skips_freely:
            _pass(arrived, np.flatnonzero(~takes), step.products.skip, step)
        _bring_near_one(_distinct(c for c in arrived if c.products >= scale.PRODUCTS_BETWEEN))
    return arrived


def _pass(arrived: list[Cotangent], going: np.ndarray, way: Callable, step: Step) -> None:
    """Replaces the cotangents of the paths `going` by what `way` makes of them."""
    before = _distinct(arrived[i] for i in going)
    if before:
        after = rows.mapped(lambda some: way(step.point, some), [c.row for c in before])
        new = {id(c): c.passed_on(row) for c, row in zip(before, after, strict=True)}
        for i in going:
            arrived[i] = new[id(arrived[i])]


def _distinct(cotangents: Iterable[Cotangent]) -> list[Cotangent]:
    return list({id(cotangent): cotangent for cotangent in cotangents}.values())


def _bring_near_one(cotangents: list[Cotangent]) -> None:
    if cotangents:
        for some in rows.in_calls(cotangents, cotangents[0].row):
            near_one, shifts = scale.near_one(backend.stack([c.row for c in some]))
            for cotangent, row, shift in zip(some, backend.unstack(near_one), shifts, strict=True):
                cotangent.row, cotangent.products = row, 0
                cotangent.exponent += int(shift)


def _measured(point: Point, arrived: list[Cotangent], target: str, whole: scale.Whole | None):
    """Returns the logarithm of each path's norm, and its share of the whole gradient."""
    distinct = _distinct(arrived)
    _bring_near_one(distinct)
    found = {}
    for some in rows.in_calls(distinct, distinct[0].row):
        own = point.at_target(backend.stack([c.row for c in some]), target)
        exponents = np.array([c.exponent for c in some])
        norms = scale.log10(scale.norms(own), exponents)
        shares = whole.shares(own, exponents) if whole else np.full(len(some), np.nan)
        for cotangent, *values in zip(some, norms, shares, strict=True):
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
