"""Claim 7: modules in another order (Section 4.2, Fig. 5 (b))."""

import math
from collections.abc import Callable

import numpy as np

from residual_ensembles.analysis.claims.claim import (
    BOTH_SIDES,
    Claim,
    Measurement,
    at_most,
)
from residual_ensembles.analysis.curves import largest_step
from residual_ensembles.analysis.tables import Tables
from residual_ensembles.statistics.intervals import Estimate, bootstrap, over_seeds
from residual_ensembles.statistics.rank_correlation import spearman

FEWEST = 20
"""Re-orderings below which nothing is said."""


def correlation(points: np.ndarray) -> float:
    """Returns Spearman's correlation of tau and error, points `(lesions, 2)`."""
    return spearman(points[:, 0], points[:, 1])


def tenths(points: np.ndarray) -> np.ndarray:
    """Returns the mean error of ten equal groups of re-orderings, from mild to grave."""
    errors = points[np.argsort(-points[:, 0], kind="stable"), 1]
    return np.array([group.mean() for group in np.array_split(errors, 10)])


def _steepest(points: np.ndarray) -> float:
    return largest_step(tenths(points))


def over_reorderings(
    statistic: Callable[[np.ndarray], float], limits: tuple[float, float]
) -> Callable[[Tables], list[Measurement]]:
    """Returns a finder that applies `statistic`, with its `limits`, to every plain network."""

    def find(tables: Tables) -> list[Measurement]:
        measurements = []
        for network in tables.plain:
            rows = tables.sweep(network, "reorder").dropna(subset="kendall_tau")
            estimates = []
            for _, lesions in rows.groupby("seed"):
                points = lesions[["kendall_tau", "error_fraction"]].to_numpy(float)
                if len(points) < FEWEST:
                    continue
                interval = bootstrap(statistic, points, limits=limits)
                estimates.append(Estimate(statistic(points), *interval, len(points), "draws"))
            joined = over_seeds(estimates)
            if joined is not None:
                measurements.append(Measurement(network, joined))
        return measurements

    return find


CLAIMS = (
    Claim(
        id="7a",
        statement="The more the order of the modules is corrupted, the higher the error.",
        source="Section 4.2, Fig. 5 (b); number: the authors' data",
        figure="fig5",
        paper_value=-0.8002,
        measure="Spearman's correlation of error and Kendall's tau of the order over all "
        "re-orderings, interval by bootstrap over draws",
        target=at_most(-0.7),
        find=over_reorderings(correlation, (-1, 1)),
        settle="Re-orderings by 1 to 10 swaps, with some twenty draws each.",
        revised=BOTH_SIDES,
    ),
    Claim(
        id="7b",
        statement="Error grows smoothly as the order is corrupted: there is no cliff.",
        source="Section 4.2, Fig. 5 (b); number: the authors' data",
        figure="fig5",
        unit="%",
        paper_value=0.2234,
        measure="Re-orderings in ten equal groups by Kendall's tau: largest step of the mean error "
        "as a share of the whole rise, interval by bootstrap over draws",
        target=at_most(1 / 3),
        find=over_reorderings(_steepest, (1 / 9, math.inf)),  # ten groups, nine steps
        settle="Re-orderings by 1 to 10 swaps, with some twenty draws each.",
        revised=BOTH_SIDES,
    ),
)
