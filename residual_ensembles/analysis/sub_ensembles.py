"""Error against the number of members of an ensemble: the mean over all sub-ensembles of a size."""

import math

import numpy as np
import pandas as pd

from residual_ensembles.analysis.tables import Tables
from residual_ensembles.statistics.intervals import bootstrap, student

COLUMNS = ["size", "n_modules", "error", "low", "high"]


NOWHERE = (math.nan, math.nan)


def _mean(rows: np.ndarray) -> float:
    return float(rows.mean())


def wrong_by_size(tables: Tables, seed: int, vote: str) -> np.ndarray:
    """Returns the share of the sub-ensembles of each size that get each image wrong.

    Args:
        tables: Tables of the study.
        seed: Its seed; each has an ensemble of its own.
        vote: average or majority.

    Returns:
        Fractions `(images, sizes)`, from one member to all; no row where there is no ensemble.
    """
    wrong = tables.sub_ensembles_wrong(seed)
    if wrong is None:
        return np.empty((0, 0))
    rows = tables.ensemble[tables.ensemble.seed == seed].reset_index(drop=True)
    rows = rows[rows.vote == vote]
    sizes = rows.groupby("size").groups.values()  # rows of the table are rows of the predictions
    return np.stack([wrong[list(places)].mean(axis=0) for places in sizes], axis=1)


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
            ends = bootstrap(_mean, by_image[:, int(size) - 1 : int(size)], limits=(0, 1))
        else:
            ends = NOWHERE
        points.append((int(size), int(n_modules), float(means.mean()), *ends))
    return pd.DataFrame(points, columns=COLUMNS)
