"""Gradients of single paths, sampled as in the paper (section 4.2, figure 6b).

One forward pass serves many paths. They go backwards side by side: those that take a module's
residual pass through it as one stacked batch, those that take an identity skip cost nothing, and
paths that agree from the top down to some module are one until there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from residual_ensembles.paths import rows, scale
from residual_ensembles.paths.point import Point

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
    whole = scale.Whole(point.at_target(point.gradients[:1], target)[0]) if shares else None
    found = np.empty((2, len(paths)))
    for first in range(0, len(paths), at_once):
        group = order[first : first + at_once]
        found[:, group] = walk_back(point, paths[group]).measured(point, target, whole)
    return ByPath(*found)


def walk_back(point: Point, paths: np.ndarray) -> "Arrived":
    """Returns what arrives at y_0 through each path; paths that agree share it."""
    arrived = Arrived(point.cotangent, len(paths))
    for step, takes in zip(reversed(point.steps), paths.T[::-1], strict=True):
        arrived.pass_through(partial(step.products.residual, step.point), takes)
        if not step.products.skips_freely:
            arrived.pass_through(partial(step.products.skip, step.point), ~takes)
        arrived.bring_near_one(scale.PRODUCTS_BETWEEN)
    return arrived


class Arrived:
    """Cotangents on their way back, each shared by the paths that agree so far.

    Args:
        cotangent: What arrives at y_n, `(batch, ...)`.
        n_paths: How many paths.
    """

    def __init__(self, cotangent, n_paths: int):
        self.rows = [cotangent]
        self.exponents = np.zeros(1, int)  # of two, by which each row is multiplied
        self.products = np.zeros(1, int)  # how many each row went through since it was near 1
        self.of_path = np.zeros(n_paths, int)  # which row is a path's

    def pass_through(self, way: Callable, takes: np.ndarray) -> None:
        """Lets paths go one way through a module.

        Args:
            way: From a list of rows to what the module makes of each.
            takes: Which paths go, bool, `(paths,)`.
        """
        before, new = np.unique(self.of_path[takes], return_inverse=True)
        if not len(before):
            return
        self.of_path[takes] = len(self.rows) + new
        self.rows += rows.mapped(way, [self.rows[i] for i in before])
        self.exponents = np.append(self.exponents, self.exponents[before])
        self.products = np.append(self.products, self.products[before] + 1)
        self._forget_unused()

    def _forget_unused(self) -> None:
        used, self.of_path = np.unique(self.of_path, return_inverse=True)
        self.rows = [self.rows[i] for i in used]
        self.exponents, self.products = self.exponents[used], self.products[used]

    def bring_near_one(self, after: int = 0) -> None:
        """Rescales the rows that went through so many products or more."""
        due = np.flatnonzero(self.products >= after)
        for some in rows.in_calls(due, self.rows[0]):
            near_one, shifts = scale.near_one([self.rows[i] for i in some])
            for i, row in zip(some, near_one, strict=True):
                self.rows[i] = row
            self.exponents[some] += shifts
            self.products[some] = 0

    def measured(self, point: Point, target: str, whole: scale.Whole | None) -> np.ndarray:
        """Returns the logarithm of each path's norm, and its share of the whole: `(2, paths)`."""
        self.bring_near_one()
        found = np.full((2, len(self.rows)), np.nan)
        for some in rows.in_calls(np.arange(len(self.rows)), self.rows[0]):
            own = point.at_target([self.rows[i] for i in some], target)
            found[0, some] = scale.log10(scale.norms(own), self.exponents[some])
            if whole:
                found[1, some] = whole.shares(own, self.exponents[some])
        return found[:, self.of_path]


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
