"""Measurements of claims 8 to 14, 16 and 23: paths and gradients by length (Figs. 6 and 7)."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor

from residual_ensembles.analysis.claims.claim import Finder, Measurement
from residual_ensembles.analysis.gradient_readings import final_gradients, is_complete
from residual_ensembles.analysis.tables import Tables
from residual_ensembles.paths import lengths
from residual_ensembles.paths.length_profile import EFFECTIVE
from residual_ensembles.paths.length_profile import PAPER_N as N
from residual_ensembles.statistics.intervals import Estimate, exact, over_seeds


def counted(value: float | Fraction, note: str = "") -> Finder:
    """Returns a finder of a number of the paper's 54 modules, whatever the study trained."""
    return lambda tables: [Measurement(f"any of {N} modules", exact(float(value)), note)]


def steepest_remaining(n: int, deleted: int) -> float:
    """Returns the largest ratio of the shares left at one length and at the length before.

    Where it is below 1, the longer paths are, the smaller the share that is left.
    """
    left = [share for share in lengths.remaining(n, deleted) if share > 0]
    return float(max(after / before for before, after in pairwise(left)))


def of_fit(column: str) -> Finder:
    """Returns a finder of a number of the line through the norms of sampled paths (claim 12)."""

    def find(tables: Tables) -> Iterator[Measurement]:
        for network in tables.plain:
            rows = tables.gradient_fits
            rows = rows[
                (rows.network == network)
                & (rows.estimator == "sampled")
                & (rows.target == "y0")
                & (rows.fitted_lengths == "all")
            ]
            rows = rows[rows.epoch == rows.epoch.max()].drop_duplicates("seed")
            numbers = rows[[column, f"{column}_low", f"{column}_high", "n_batches"]]
            if joined := over_seeds(
                Estimate(value, low, high, n_batches, "batches")
                for value, low, high, n_batches in numbers.itertuples(index=False)
            ):
                note = f"One module more divides the norm by {10 ** -rows.slope.mean():.1f}."
                yield Measurement(network, joined, note)

    return find


def share_of_effective_paths(estimator: str, reading: str) -> Finder:
    """Returns a finder of the share of the gradient on paths of 5 to 17 of 54 modules (claim 13).

    Args:
        estimator: `sampled` or `exact`; a seed counts if it has a norm for every length.
        reading: Value of the column `reading` of path_gradients_ranges.csv.
    """

    def find(tables: Tables) -> Iterator[Measurement]:
        for network in tables.plain:
            if tables.n_modules(network) != N:
                continue
            rows = _ranges(tables, network, estimator, reading)
            if joined := over_seeds(
                Estimate(
                    r.share_5_to_17,
                    r.share_5_to_17_low,
                    r.share_5_to_17_high,
                    r.n_batches,
                    "batches",
                )
                for r in rows
            ):
                note = (
                    f"The shortest range of lengths that carries 95 % is {rows[0].first:.0f} to "
                    f"{rows[0].last:.0f}."
                )
                yield Measurement(network, joined, note)

    return find


def longest_effective(estimator: str, reading: str) -> Finder:
    """Returns a finder of the longest effective length as a share of all modules (claim 23).

    It is the last of the shortest range of lengths that carries 95 % of the gradient.
    """

    def find(tables: Tables) -> Iterator[Measurement]:
        for network in tables.plain:
            n = tables.n_modules(network)
            rows = _ranges(tables, network, estimator, reading)
            if joined := over_seeds(
                Estimate(r.last / n, r.last_low / n, r.last_high / n, r.n_batches, "batches")
                for r in rows
            ):
                ranges = ", ".join(f"{row.first:.0f} to {row.last:.0f}" for row in rows)
                note = (
                    f"Lengths that carry 95 %: {ranges} of {n}.{_to_scale(tables, network, rows)}"
                )
                yield Measurement(network, joined, note)

    return find


def _to_scale(tables: Tables, network: str, rows: list) -> str:
    """Returns a note on the share of lengths that scale 5 to 17 of 54 to a network's depth."""
    n = tables.n_modules(network)
    first, last = (n * end / N for end in EFFECTIVE)
    if n == N:
        return ""
    shares = []
    for row in rows:
        gradients = final_gradients(tables, network, row.seed, row.estimator)
        column = "share_projected" if row.reading == "projection" else "share_of_norms"
        inside = (first <= gradients.length) & (gradients.length <= last)
        shares.append(f"{100 * gradients[column][inside].sum():.1f}")
    return (
        f" 5 to 17 of 54 are {first:.1f} to {last:.1f} of {n}, to scale; lengths {ceil(first)} to "
        f"{floor(last)} carry {', '.join(shares)} %."
    )


def _ranges(tables: Tables, network: str, estimator: str, reading: str) -> list:
    """Returns the rows of path_gradients_ranges.csv at y₀ after training, one per seed."""
    n = tables.n_modules(network)
    complete = [
        run.seed
        for run in tables.of(network)
        if is_complete(final_gradients(tables, network, run.seed, estimator), n)
    ]
    rows = tables.gradient_ranges
    rows = rows[
        (rows.network == network)
        & rows.seed.isin(complete)
        & (rows.target == "y0")
        & (rows.reading == reading)
    ]
    return list(rows[rows.epoch == rows.epoch.max()].drop_duplicates("seed").itertuples())
