"""Gradients of single paths, sampled as in the paper (section 4.2, figure 6b).

One forward pass serves many paths. They go backwards side by side: those that take a module's
residual pass through it as one stacked batch, those that take an identity skip cost nothing, and
paths that agree from the top down to some module are one until there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from residual_ensembles.paths import rows, scaled_cotangents
from residual_ensembles.paths.linearization import LinearizedBatch
from residual_ensembles.statistics.randomness import generator


def draw_batch(n_images: int, batch_size: int, seed: int, index: int) -> np.ndarray:
    """Returns the positions of a random batch, a function of (seed, index).

    Args:
        n_images: Images to draw from, without putting back.
        batch_size: Images in a batch.
        seed: Seed of the draws.
        index: Which batch, from 0.

    Raises:
        ValueError: There are fewer images than that.
    """
    if not 1 <= batch_size <= n_images:
        raise ValueError(
            f"Received batch_size={batch_size} with {n_images} images, expected 1 to {n_images}."
        )
    return generator(seed, "path gradients, batch", index).choice(n_images, batch_size, False)


def draw_paths(skips: np.ndarray, length: int, count: int, seed: int, index: int) -> np.ndarray:
    """Returns random paths of one length, a function of (seed, length, index).

    Args:
        skips: Whether each module has a skip, `(n_modules,)`; one without is on every path.
        length: Residuals on each path.
        count: Number of paths.
        seed: Seed of the draws.
        index: Index of the batch that they are for, from 0.

    Returns:
        Which residuals each path takes, bool, `(count, n_modules)`.

    Raises:
        ValueError: No path has that length.
    """
    skips = np.asarray(skips, bool)
    forced, free = int((~skips).sum()), np.flatnonzero(skips)
    if not forced <= length <= len(skips):
        raise ValueError(
            f"Received length={length}, expected {forced} to {len(skips)}: paths take {forced} of "
            f"{len(skips)} modules at least."
        )
    random = generator(seed, "path gradients, paths", length, index)
    paths = np.tile(~skips, (count, 1))
    for path in paths:
        path[random.choice(free, length - forced, replace=False)] = True
    return paths


# Numbers in the cotangents that are kept at a time; more paths go in groups (half a gigabyte).
NUMBERS_AT_ONCE = 2**27


@dataclass(frozen=True)
class PathGradients:
    """Gradients of single paths."""

    log10_norms: np.ndarray
    """Base-10 logarithm of each path's norm, `(paths,)`; −inf for a norm of 0."""
    shares: np.ndarray
    """Projection on the full gradient, ⟨g, G⟩ / ‖G‖², `(paths,)`; those of all 2^n add up to 1.
    NaN where they were not asked for, or the gradient is 0."""


def batch_path_gradients(
    batch: LinearizedBatch, paths: np.ndarray, target: str = "y0", shares: bool = True
) -> PathGradients:
    """Returns the gradients that come through single paths.

    Args:
        batch: One batch.
        paths: Which residuals each path takes, bool, `(paths, n_modules)`.
        target: "y0", or "image" for the gradient with respect to the input.
        shares: Whether to project on the full gradient, which costs an ordinary pass.

    Raises:
        ValueError: A path skips a module that has no skip, or there is no such target.
    """
    paths = _checked(batch, paths)
    order = np.lexsort(paths.T)  # neighbors agree at the top
    at_once = max(1, NUMBERS_AT_ONCE // max(step.row_size for step in batch.steps))
    full = (
        scaled_cotangents.FullGradient(batch.at_target(batch.gradients[:1], target)[0])
        if shares
        else None
    )
    result = np.empty((2, len(paths)))
    for first in range(0, len(paths), at_once):
        group = order[first : first + at_once]
        result[:, group] = walk_back(batch, paths[group]).measured(batch, target, full)
    return PathGradients(*result)


def walk_back(batch: LinearizedBatch, paths: np.ndarray) -> "CotangentsByPath":
    """Returns what arrives at y_0 through each path; paths that agree share it."""
    cotangents = CotangentsByPath(batch.cotangent, len(paths))
    for step, takes in zip(reversed(batch.steps), paths.T[::-1], strict=True):
        cotangents.pass_through(partial(step.products.residual, step.point), takes)
        if not step.products.skips_freely:
            cotangents.pass_through(partial(step.products.skip, step.point), ~takes)
        cotangents.bring_near_one(scaled_cotangents.PRODUCTS_BETWEEN)
    return cotangents


class CotangentsByPath:
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
            near_one, shifts = scaled_cotangents.near_one([self.rows[i] for i in some])
            for i, row in zip(some, near_one, strict=True):
                self.rows[i] = row
            self.exponents[some] += shifts
            self.products[some] = 0

    def measured(
        self, batch: LinearizedBatch, target: str, full: scaled_cotangents.FullGradient | None
    ) -> np.ndarray:
        """Returns the logarithm of each path's norm, and its share of the whole: `(2, paths)`."""
        self.bring_near_one()
        result = np.full((2, len(self.rows)), np.nan)
        for some in rows.in_calls(np.arange(len(self.rows)), self.rows[0]):
            own = batch.at_target([self.rows[i] for i in some], target)
            result[0, some] = scaled_cotangents.log10(
                scaled_cotangents.norms(own), self.exponents[some]
            )
            if full:
                result[1, some] = full.shares(own, self.exponents[some])
        return result[:, self.of_path]


def _checked(batch: LinearizedBatch, paths: np.ndarray) -> np.ndarray:
    paths = np.asarray(paths, bool)
    if paths.ndim != 2 or paths.shape[1] != len(batch.steps):
        raise ValueError(
            f"Received paths of shape {paths.shape}, expected (paths, {len(batch.steps)}): for "
            "each path, whether it takes the residual of each module."
        )
    for number, step in enumerate(batch.steps, start=1):
        if not step.products.has_skip and not paths[:, number - 1].all():
            raise ValueError(
                f"Received a path around module {number}, which has no skip; expected all paths "
                "to take its residual."
            )
    return paths
