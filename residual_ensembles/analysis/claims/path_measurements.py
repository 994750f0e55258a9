"""What claims 8 to 14 and 16 measure: numbers of paths, and gradients by length (Figs. 6 and 7)."""

from collections.abc import Iterator
from itertools import pairwise

from residual_ensembles.analysis.claims.claim import Finder, Measurement
from residual_ensembles.analysis.gradient_readings import final_gradients, is_complete
from residual_ensembles.analysis.tables import Tables
from residual_ensembles.paths import lengths
from residual_ensembles.statistics.intervals import Estimate, exact, over_seeds

N = 54
"""Modules of the paper's ResNet-110."""


def counted(value: float, note: str = "") -> Finder:
    """Returns a finder of a number of the paper's 54 modules, whatever the study trained."""
    return lambda tables: [Measurement(f"any of {N} modules", exact(value), note)]


def steepest_remaining(n: int, deleted: int) -> float:
    """Returns the largest ratio of the shares left at one length and at the length before.

    Below 1, every module more on a path lowers the share that is left.
    """
    left = [share for share in lengths.remaining(n, deleted) if share > 0]
    return float(max(after / before for before, after in pairwise(left)))


def of_fit(column: str) -> Finder:
    """Returns a finder of a number of the line through the norms of sampled paths (claim 12).

    Args:
        column: A column of path_gradients_fits.csv that has an interval.
    """

    def find(tables: Tables) -> Iterator[Measurement]:
        for network in tables.plain:
            rows = tables.gradient_fits
            rows = rows[
                (rows.network == network)
                & (rows.estimator == "sampled")
                & (rows.target == "y0")
                & (rows.part == "all")
            ]
            rows = rows[rows.epoch == rows.epoch.max()].drop_duplicates("seed")
            numbers = rows[[column, f"{column}_low", f"{column}_high"]].itertuples(index=False)
            joined = over_seeds(
                Estimate(*of_seed, n_batches, "batches")
                for of_seed, n_batches in zip(numbers, rows.n_batches, strict=True)
            )
            if joined:
                note = f"One module more divides the norm by {10 ** -rows.slope.mean():.1f}."
                yield Measurement(network, joined, note)

    return find


def carried_by_effective_paths(estimator: str, reading: str) -> Finder:
    """Returns a finder of the share of the gradient on paths of 5 to 17 of 54 modules (claim 13).

    Args:
        estimator: `sampled` or `exact`; a seed counts if it has a norm for every length.
        reading: Value of the column `reading` of path_gradients_ranges.csv.
    """

    def find(tables: Tables) -> Iterator[Measurement]:
        for network in tables.plain:
            if tables.n_modules(network) != N:
                continue
            complete = [
                run.seed
                for run in tables.of(network)
                if is_complete(final_gradients(tables, network, run.seed, estimator), N)
            ]
            rows = tables.gradient_ranges
            rows = rows[
                (rows.network == network)
                & rows.seed.isin(complete)
                & (rows.target == "y0")
                & (rows.reading == reading)
            ]
            rows = list(rows[rows.epoch == rows.epoch.max()].drop_duplicates("seed").itertuples())
            joined = over_seeds(
                Estimate(r.carried, r.carried_low, r.carried_high, r.n_batches, "batches")
                for r in rows
            )
            if joined:
                note = (
                    f"The shortest range of lengths that carries 95 % is {rows[0].first:.0f} to "
                    f"{rows[0].last:.0f}."
                )
                yield Measurement(network, joined, note)

    return find
