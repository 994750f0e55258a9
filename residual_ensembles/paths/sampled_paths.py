"""Gradients of single paths, sampled as in the paper (section 4.2, figure 6b).

One forward pass serves many paths, which are propagated backwards jointly: those that take a
module's residual as one stacked batch, those that take an identity skip at no cost, and paths that
agree in all modules from the top down share one cotangent.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from residual_ensembles.arguments import checked, require_integer
from residual_ensembles.paths import cotangents
from residual_ensembles.paths.linearization import LinearizedBatch
from residual_ensembles.runtime.executor import ignore
from residual_ensembles.statistics.randomness import generator


@checked
def draw_batch(n_images: int, batch_size: int, seed: int, index: int) -> np.ndarray:
    """Returns the positions of a random batch, a function of (seed, index).

    Args:
        n_images: Number of images to draw from, without replacement.
        batch_size: Images in a batch.
        seed: Seed of the draws.
        index: Number of the batch, from 0.

    Raises:
        ValueError: There are fewer images than that.

    Example:
        >>> draw_batch(100, 4, seed=0, index=0).tolist()
        [72, 27, 44, 5]
    """
    n_images = require_integer("n_images", n_images, 1, np.iinfo(np.int64).max)
    if not 1 <= batch_size <= n_images:
        raise ValueError(
            f"Received batch_size={batch_size} with {n_images} images, expected 1 to {n_images}."
        )
    return generator(seed, "path gradients, batch", index).choice(n_images, batch_size, False)


@checked
def draw_paths(
    skips: Sequence[bool] | np.ndarray, length: int, count: int, seed: int, index: int
) -> np.ndarray:
    """Returns random paths of one length, a function of (seed, length, index).

    Args:
        skips: Whether each module has a skip, `(n_modules,)`; one without is on every path.
        length: Path length, in modules.
        count: Number of paths.
        seed: Seed of the draws.
        index: Number of the batch that they are for, from 0.

    Returns:
        Whether each path takes each residual, bool, `(count, n_modules)`.

    Raises:
        ValueError: No path has that length.

    Example:
        >>> draw_paths([True, True, True, True], 2, 2, seed=0, index=0).astype(int).tolist()
        [[0, 1, 0, 1], [1, 1, 0, 0]]
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


# Numbers in the cotangents of one group of paths (half a gigabyte); more paths need several groups.
NUMBERS_AT_ONCE = 2**27


@dataclass(frozen=True)
class PathGradients:
    """Norms and shares of the gradients of single paths."""

    log10_norms: np.ndarray
    """Base-10 logarithm of each path's norm, `(paths,)`; −inf for a norm of 0."""
    shares: np.ndarray
    """Projection on the full gradient, ⟨g, G⟩ / ‖G‖², `(paths,)`; those of all 2^n add up to 1.
    NaN if not computed, or where the gradient is 0."""


@checked
def batch_path_gradients(
    batch: LinearizedBatch,
    paths: np.ndarray,
    target: str = "y0",
    shares: bool = True,
    progress: Callable[[float], object] = ignore,
) -> PathGradients:
    """Returns norms and shares of the gradients through single paths.

    Args:
        batch: Linearized batch.
        paths: Whether each path takes each residual, bool, `(paths, n_modules)`.
        target: "y0", or "image" for the gradient with respect to the input.
        shares: Whether to project on the full gradient, which costs an ordinary backward pass.
        progress: Called after each module with the number of paths that passed it.

    Raises:
        ValueError: A path skips a module that has no skip, or there is no such target.
        ArithmeticError: The full gradient is not finite.

    Example:
        >>> from residual_ensembles import paths
        >>> batch = paths.Linearization(chain).linearize(images, labels)
        >>> single = batch_path_gradients(batch, [[1, 0, 0, 1, 0, 0, 0, 0, 0]])
        >>> single.log10_norms.shape
        (1,)
    """
    paths = _checked(batch, paths)
    order = np.lexsort(paths.T)  # neighbors agree at the top
    at_once = max(1, NUMBERS_AT_ONCE // max(math.prod(module.y.shape) for module in batch.modules))
    full = cotangents.FullGradient(batch.gradient(target)) if shares else None
    result = np.empty((2, len(paths)))
    for first in range(0, len(paths), at_once):
        group = order[first : first + at_once]
        result[:, group] = backprop_by_path(batch, paths[group], progress).measured(
            batch, target, full
        )
    return PathGradients(*result)


def backprop_by_path(
    batch: LinearizedBatch, paths: np.ndarray, progress: Callable[[float], object] = ignore
) -> "CotangentsByPath":
    """Returns the cotangent of y_0 of each path; `progress` as for `batch_path_gradients`."""
    by_path = CotangentsByPath(batch.cotangent, len(paths))
    for module, takes in zip(reversed(batch.modules), paths.T[::-1], strict=True):
        by_path.pass_through(partial(module.products.residual, module.saved), takes)
        if not module.products.skip_is_identity:
            by_path.pass_through(partial(module.products.skip, module.saved), ~takes)
        by_path.rescale(cotangents.PRODUCTS_PER_RESCALING)
        progress(len(paths))
    return by_path


class CotangentsByPath:
    """One cotangent for each path; paths that agree so far share it."""

    def __init__(self, cotangent, n_paths: int):
        self.rows = [cotangent]
        self.exponents = np.zeros(1, int)  # of two; one for each row
        self.products = np.zeros(1, int)  # since each row was last rescaled
        self.row_of_path = np.zeros(n_paths, int)

    def pass_through(self, product: Callable, takes: np.ndarray) -> None:
        """Propagates the cotangents of the paths that take it through a skip or a residual.

        Its product maps a list of rows to its product with each.
        """
        before, new = np.unique(self.row_of_path[takes], return_inverse=True)
        if not len(before):
            return
        self.row_of_path[takes] = len(self.rows) + new
        self.rows += cotangents.mapped(product, [self.rows[i] for i in before])
        self.exponents = np.append(self.exponents, self.exponents[before])
        self.products = np.append(self.products, self.products[before] + 1)
        self._forget_unused()

    def _forget_unused(self) -> None:
        used, self.row_of_path = np.unique(self.row_of_path, return_inverse=True)
        self.rows = [self.rows[i] for i in used]
        self.exponents, self.products = self.exponents[used], self.products[used]

    def rescale(self, after: int = 0) -> None:
        """Brings rows near 1 that went through `after` products or more."""
        due = np.flatnonzero(self.products >= after)
        for some in cotangents.in_calls(due, self.rows[0]):
            near_one, shifts = cotangents.near_one([self.rows[i] for i in some])
            for i, row in zip(some, near_one, strict=True):
                self.rows[i] = row
            self.exponents[some] += shifts
            self.products[some] = 0

    def measured(
        self, batch: LinearizedBatch, target: str, full: cotangents.FullGradient | None
    ) -> np.ndarray:
        """Returns log10 norm and share of the full gradient of each path, `(2, paths)`."""
        self.rescale()
        result = np.full((2, len(self.rows)), np.nan)
        for some in cotangents.in_calls(np.arange(len(self.rows)), self.rows[0]):
            own = batch.at_target([self.rows[i] for i in some], target)
            result[0, some] = cotangents.log10(cotangents.norms(own), self.exponents[some])
            if full:
                result[1, some] = full.shares(own, self.exponents[some])
        return result[:, self.row_of_path]


def _checked(batch: LinearizedBatch, paths: np.ndarray) -> np.ndarray:
    paths = np.asarray(paths, bool)
    if paths.ndim != 2 or paths.shape[1] != len(batch.modules):
        raise ValueError(
            f"Received paths of shape {paths.shape}, expected (paths, {len(batch.modules)}): for "
            "each path, whether it takes the residual of each module."
        )
    for number, module in enumerate(batch.modules, start=1):
        if not module.products.has_skip and not paths[:, number - 1].all():
            raise ValueError(
                f"Received a path around module {number}, which has no skip; expected all paths "
                "to take its residual."
            )
    return paths
