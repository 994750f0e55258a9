"""Error against the number of members of an ensemble: the mean over all committees of a size."""

import math

import numpy as np
import pandas as pd

from residual_ensembles.analysis.intervals import bootstrap, student
from residual_ensembles.analysis.tables import Tables

COLUMNS = ["size", "n_modules", "error", "low", "high"]


NOWHERE = (math.nan, math.nan)


def _mean(rows: np.ndarray) -> float:
    return float(rows.mean())


def wrong_by_size(tables: Tables, seed: int, vote: str) -> np.ndarray:
    """Returns the share of the committees of each size that get each picture wrong.

    Args:
        tables: The study.
        seed: Its seed; each has an ensemble of its own.
        vote: average or majority.

    Returns:
        Fractions `(pictures, sizes)`, from one member to all; no row where there is no ensemble.
    """
    wrong = tables.committees_wrong(seed)
    if wrong is None:
        return np.empty((0, 0))
    rows = tables.ensemble[tables.ensemble.seed == seed].reset_index(drop=True)
    rows = rows[rows.vote == vote]
    sizes = rows.groupby("size").groups.values()  # rows of the table are rows of the predictions
    return np.stack([wrong[list(places)].mean(axis=0) for places in sizes], axis=1)


def error_by_size(tables: Tables, vote: str) -> pd.DataFrame:
    """Returns the error of committees by their size.

    With one seed the interval is a bootstrap over pictures, with more Student's over seeds.

    Returns:
        Columns size, n_modules (of all members), error, low, high (fractions).
    """
    rows = tables.ensemble[tables.ensemble.vote == vote]
    seeds = list(rows.seed.unique())
    by_picture = wrong_by_size(tables, seeds[0], vote) if len(seeds) == 1 else np.empty((0, 0))
    points = []
    for (size, n_modules), found in rows.groupby(["size", "n_modules"]):
        means = found.groupby("seed").error_fraction.mean()
        if len(seeds) > 1:
            ends = student(means)
        elif by_picture.size:
            ends = bootstrap(_mean, by_picture[:, int(size) - 1 : int(size)], limits=(0, 1))
        else:
            ends = NOWHERE
        points.append((int(size), int(n_modules), float(means.mean()), *ends))
    return pd.DataFrame(points, columns=COLUMNS)
