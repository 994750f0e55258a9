"""Random batches, and random paths through a chain."""

import numpy as np

from residual_ensembles.randomness import generator


def draw_batch(n_pictures: int, batch_size: int, seed: int, index: int) -> np.ndarray:
    """Returns the positions of a random batch, a function of (seed, index).

    Args:
        n_pictures: Pictures to draw from, without putting back.
        batch_size: Pictures in a batch.
        seed: Of the draws.
        index: Which batch, from 0.

    Raises:
        ValueError: There are fewer pictures than that.
    """
    if not 1 <= batch_size <= n_pictures:
        raise ValueError(
            f"Received batch_size={batch_size} with {n_pictures} pictures, expected 1 to "
            f"{n_pictures}."
        )
    return generator(seed, "path gradients, batch", index).choice(n_pictures, batch_size, False)


def draw_paths(skips: np.ndarray, length: int, count: int, seed: int, index: int) -> np.ndarray:
    """Returns random paths of one length, a function of (seed, length, index).

    Args:
        skips: Whether each module has a skip, `(n_modules,)`; one without is on every path.
        length: Residuals on each path.
        count: Number of paths.
        seed: Of the draws.
        index: Of the batch that they are for, from 0.

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
