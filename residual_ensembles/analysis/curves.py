"""Curves of errors: by number of operations on a network, and by members of an ensemble."""

import math

import numpy as np
import pandas as pd

from residual_ensembles.analysis.tables import Tables
from residual_ensembles.statistics.intervals import Estimate, bootstrap, resampled, student
from residual_ensembles.statistics.rank_correlation import spearman


def curves(tables: Tables, network: str, seed: int, sweep: str) -> np.ndarray:
    """Returns the error by number of operations, one curve per draw.

    Returns:
        Fractions `(draws, k + 1)`; column 0 is the intact error. No row where the intact network,
        the sweep, or a number between 1 and k is missing.
    """
    rows = tables.sweep(network, sweep)
    intact = tables.sweep(network, "intact")
    rows, intact = rows[rows.seed == seed], intact[intact.seed == seed]
    if rows.empty or intact.empty:
        return np.empty((0, 0))
    table = rows.pivot_table(index="draw", columns="n_operations", values="error_fraction").dropna()
    if list(table.columns) != list(range(1, len(table.columns) + 1)):
        return np.empty((0, 0))
    start = np.full((len(table), 1), float(intact.error_fraction.iloc[0]))
    return np.hstack([start, table.to_numpy(float)])


def largest_step(errors: np.ndarray) -> np.ndarray:
    """Returns the largest single step of each curve as a share of its rise; NaN if it falls.

    Args:
        errors: A curve or more, `(..., points)`.
    """
    rise = errors[..., -1] - errors[..., 0]
    return np.diff(errors).max(axis=-1) / np.where(rise > 0, rise, np.nan)


def shrinking_gain(errors: np.ndarray) -> np.ndarray:
    """Returns how much larger the first gains of a growing ensemble are than the last.

    Args:
        errors: `(..., members)`.

    Returns:
        The mean fall of the error per member over the first half of the steps, minus that over the
        second half; with an odd number of steps, the middle one belongs to neither. Positive where
        each further member brings less, 0 where error falls on a straight line.
    """
    gains = -np.diff(errors)
    half = gains.shape[-1] // 2
    return gains[..., :half].mean(axis=-1) - gains[..., -half:].mean(axis=-1)


def monotonicity(draws: np.ndarray) -> Estimate:
    """Returns Spearman's correlation of the mean error with the number of operations."""
    numbers = np.arange(draws.shape[1])
    return resampled(lambda rows: spearman(numbers, rows.mean(axis=-2)), draws, limits=(-1, 1))


def steepest(draws: np.ndarray) -> Estimate:
    """Returns the largest step of the mean error as a share of its rise."""
    # A rise in equal steps has none larger than the share of one.
    limits = 1 / (draws.shape[1] - 1), math.inf
    return resampled(lambda rows: largest_step(rows.mean(axis=-2)), draws, limits=limits)


def wrong_by_size(tables: Tables, seed: int, vote: str) -> np.ndarray:
    """Returns the share of the sub-ensembles of each size that get each image wrong.

    Returns:
        Fractions `(images, sizes)`, from one member to all; no row where there is no ensemble.
    """
    wrong = tables.sub_ensembles_wrong(seed)
    if wrong is None:
        return np.empty((0, 0))
    rows = tables.ensemble[tables.ensemble.seed == seed].reset_index(drop=True)
    rows = rows[rows.vote == vote]
    sizes = rows.groupby("size").groups.values()  # rows of the table are rows of the predictions
    return np.stack([wrong[list(of_size)].mean(axis=0) for of_size in sizes], axis=1)


def error_by_size(tables: Tables, vote: str) -> pd.DataFrame:
    """Returns the error of sub-ensembles by their size.

    With one seed the interval is a bootstrap over images, with more Student's over seeds.

    Returns:
        Columns size, n_modules (of all members), error, low, high (fractions).
    """
    rows = tables.ensemble[tables.ensemble.vote == vote]
    seeds = list(rows.seed.unique())
    by_image = wrong_by_size(tables, seeds[0], vote) if len(seeds) == 1 else np.empty((0, 0))
    points = []
    for (size, n_modules), result in rows.groupby(["size", "n_modules"]):
        means = result.groupby("seed").error_fraction.mean()
        if len(seeds) > 1:
            ends = student(means)
        elif by_image.size:
            wrong = by_image[:, int(size) - 1 : int(size)]
            ends = bootstrap(lambda rows: rows.mean(axis=(-2, -1)), wrong, limits=(0, 1))
        else:
            ends = math.nan, math.nan
        points.append((int(size), int(n_modules), float(means.mean()), *ends))
    return pd.DataFrame(points, columns=["size", "n_modules", "error", "low", "high"])
