"""Path gradients at the end of training, and the readings of how much gradient a length carries."""

from math import comb
from typing import NamedTuple

import numpy as np
import pandas as pd

from residual_ensembles.analysis.tables import Tables


def final_gradients(tables: Tables, network: str, seed: int, estimator: str) -> pd.DataFrame:
    """Returns one network's gradient by path length, after training.

    Where a table holds several of a kind, it is the gradient that arrives at y₀ with batch
    normalization in inference mode, as in Fig. 6 of the paper.

    The estimator is sampled (mean norm of one path) or exact (norm of the sum of all paths).

    Returns:
        Rows of path_gradients.csv, sorted by length.
    """
    rows = tables.gradients
    rows = rows[(rows.network == network) & (rows.seed == seed) & (rows.estimator == estimator)]
    for column, preferred in (("target", "y0"), ("batch_norm", "inference")):
        values = list(rows[column].unique())
        if len(values) > 1:
            rows = rows[rows[column] == (preferred if preferred in values else values[0])]
    rows = rows[rows.epoch == rows.epoch.max()]
    return rows.sort_values("length", ignore_index=True)


def is_complete(rows: pd.DataFrame, n: int) -> bool:
    """Whether there is a norm for every length from 0 to n, so that shares are defined."""
    return n > 0 and list(rows.length) == list(range(n + 1)) and rows.log10_norm.notna().all()


def log10_counts(n: int) -> np.ndarray:
    """Returns the base-10 logarithm of the number of paths, `(n + 1,)`, by length from 0."""
    return np.array([np.log10(float(comb(n, length))) for length in range(n + 1)])


class Reading(NamedTuple):
    """Share of the gradient that the paths of each length carry, `(n + 1,)`, by length from 0."""

    shares: np.ndarray
    low: np.ndarray
    high: np.ndarray


def reading(rows: pd.DataFrame, column: str) -> Reading:
    """Returns the shares in one column of path_gradients.csv, with their intervals."""
    return Reading(*(rows[column + end].to_numpy(float) for end in ("", "_low", "_high")))


def readings(tables: Tables, network: str, seed: int) -> dict[str, Reading]:
    """Returns the share of the gradient by path length, under each reading that the tables allow.

    Norms of parts do not add up to the norm of the sum, so there are several: `sampled` is the
    paper's (mean norm of one path times number of paths), `exact` the norm of the sum over all
    paths, `projected` the projection of that sum on the gradient, which is additive.
    """
    n = tables.n_modules(network)
    result = {}
    sampled = final_gradients(tables, network, seed, "sampled")
    if is_complete(sampled, n):
        result["sampled"] = reading(sampled, "share_of_norms")
    exact = final_gradients(tables, network, seed, "exact")
    if is_complete(exact, n):
        result["exact"] = reading(exact, "share_of_norms")
        if exact.share_projected.notna().all():
            result["projected"] = reading(exact, "share_projected")
    return result
