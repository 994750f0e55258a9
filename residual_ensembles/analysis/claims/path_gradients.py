"""Claims 12 and 13: how much gradient comes through paths of which length (Section 4.2, Fig. 6)."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from residual_ensembles.analysis.claims.claim import Claim, Measurement, at_least, below
from residual_ensembles.analysis.effective_range import EFFECTIVE, effective_range
from residual_ensembles.analysis.estimate import Estimate, over_seeds
from residual_ensembles.analysis.gradients import (
    final_gradients,
    is_complete,
    log10_counts,
    readings,
)
from residual_ensembles.analysis.log_linear import LogLinearFit, log_linear
from residual_ensembles.analysis.tables import Tables

FEWEST = 5
"""Lengths below which no line is fitted."""


def _fit(rows: pd.DataFrame) -> LogLinearFit | None:
    rows = rows[np.isfinite(rows.log10_norm.astype(float))]
    return log_linear(rows.length, rows.log10_norm) if len(rows) >= FEWEST else None


def _of_fit(
    estimate: Callable[[LogLinearFit], Estimate],
) -> Callable[[Tables], list[Measurement]]:
    def find(tables: Tables) -> list[Measurement]:
        measurements = []
        for network in tables.plain:
            fits = [
                _fit(final_gradients(tables, network, run.seed, "sampled"))
                for run in tables.of(network)
            ]
            fits = [fit for fit in fits if fit is not None]
            joined = over_seeds([estimate(fit) for fit in fits])
            if joined is not None:
                note = f"One module more divides the norm by {10 ** -fits[0].slope:.1f}."
                measurements.append(Measurement(network, joined, note))
        return measurements

    return find


def share_between(
    log10_amounts: np.ndarray, low: np.ndarray, high: np.ndarray, n_measured: int, over: str
) -> Estimate:
    """Returns the share of what is carried that paths of 5 to 17 modules carry.

    Args:
        log10_amounts: Base-10 logarithm of what each length carries, `(n + 1,)`.
        low: Its lower end; the share is lowest with these inside and the upper ends outside.
        high: Its upper end.
        n_measured: Measurements behind each length.
        over: What these are, paths or batches.
    """
    inside = np.zeros(len(log10_amounts), bool)
    inside[EFFECTIVE[0] : EFFECTIVE[1] + 1] = True

    def share(within: np.ndarray, without: np.ndarray) -> float:
        logs = np.where(inside, within, without)
        amounts = 10 ** (logs - logs.max())
        return float(amounts[inside].sum() / amounts.sum())

    return Estimate(
        share(log10_amounts, log10_amounts), share(low, high), share(high, low), n_measured, over
    )


def _paper_reading(rows: pd.DataFrame) -> Estimate:
    counts = log10_counts(len(rows) - 1)
    ends = (rows[c].to_numpy(float) for c in ("log10_norm", "log10_norm_low", "log10_norm_high"))
    return share_between(*(end + counts for end in ends), int(rows.n.min()), "paths")


def _norm_reading(rows: pd.DataFrame) -> Estimate:
    ends = (rows[c].to_numpy(float) for c in ("log10_norm", "log10_norm_low", "log10_norm_high"))
    return share_between(*ends, int(rows.n.min()), "batches")


def _range(amounts: np.ndarray | None) -> str:
    if amounts is None:
        return ""
    first, last = effective_range(amounts)
    return f"The shortest range of lengths that carries 95 % is {first} to {last}."


def _shares(
    name: str, estimator: str, reading: Callable[[pd.DataFrame], Estimate]
) -> Callable[[Tables], list[Measurement]]:
    def find(tables: Tables) -> list[Measurement]:
        measurements = []
        for network in tables.plain:
            n = tables.n_modules(network)
            tables_of_seeds = [
                final_gradients(tables, network, run.seed, estimator) for run in tables.of(network)
            ]
            complete = [rows for rows in tables_of_seeds if is_complete(rows, n)]
            joined = over_seeds([reading(rows) for rows in complete])
            if n > EFFECTIVE[1] and joined is not None:
                amounts = readings(tables, network, tables.of(network)[0].seed).get(name)
                measurements.append(Measurement(network, joined, _range(amounts)))
        return measurements

    return find


def _projected(tables: Tables) -> list[Measurement]:
    measurements = []
    for network in tables.plain:
        rows = tables.gradient_ranges
        rows = rows[
            (rows.network == network) & (rows.target == "y0") & (rows.reading == "projection")
        ]
        rows = rows[rows.epoch == rows.epoch.max()].drop_duplicates("seed")
        joined = over_seeds(
            [
                Estimate(row.carried, row.carried_low, row.carried_high, row.n_batches, "batches")
                for row in rows.itertuples()
            ]
        )
        if joined is not None and tables.n_modules(network) > EFFECTIVE[1]:
            amounts = readings(tables, network, tables.of(network)[0].seed).get("projected")
            measurements.append(Measurement(network, joined, _range(amounts)))
    return measurements


_NEARLY_ALL = 0.9
_SETTLE = "Path gradients of every length, with intervals over batches or more seeds."

CLAIMS = (
    Claim(
        id="12a",
        words="The gradient of a path falls with its length.",
        source="Section 4.2, Fig. 6 (b)",
        figure="fig6",
        paper_value=None,
        measure="Slope of log10(mean norm of a sampled path) against length, per module",
        target=below(0),
        find=_of_fit(lambda f: Estimate(f.slope, f.slope_low, f.slope_high, f.n, "lengths")),
        settle="Sampled path gradients of five lengths or more.",
    ),
    Claim(
        id="12b",
        words="It falls exponentially: on a logarithmic axis, the fall is a straight line.",
        source="Section 4.2, Fig. 6 (b)",
        figure="fig6",
        paper_value=None,
        measure="R² of a straight line through log10(mean norm of a sampled path) against length",
        target=at_least(0.9),
        find=_of_fit(
            lambda f: Estimate(f.r_squared, f.r_squared_low, f.r_squared_high, f.n, "lengths")
        ),
        settle="Sampled path gradients of more lengths.",
    ),
    Claim(
        id="13a",
        words="Nearly all gradient comes from paths of 5 to 17 modules (the paper's reading).",
        source="Section 4.2, Fig. 6 (c)",
        figure="fig6",
        unit="%",
        paper_value=None,
        measure="Share of lengths 5 to 17 in mean norm of one sampled path times number of paths; "
        "interval from those of the norms",
        target=at_least(_NEARLY_ALL),
        find=_shares("sampled", "sampled", _paper_reading),
        settle=_SETTLE,
    ),
    Claim(
        id="13b",
        words="Nearly all gradient comes from paths of 5 to 17 modules (norms of sums).",
        source="Section 4.2, Fig. 6 (c); the exact decomposition is ours",
        figure="fig6",
        unit="%",
        paper_value=None,
        measure="Share of lengths 5 to 17 in the norms of the exact sums over all paths of one "
        "length; interval from those of the norms",
        target=at_least(_NEARLY_ALL),
        find=_shares("exact", "exact", _norm_reading),
        settle=_SETTLE,
    ),
    Claim(
        id="13c",
        words="Nearly all gradient comes from paths of 5 to 17 modules (projections on the whole).",
        source="Section 4.2, Fig. 6 (c); the exact decomposition is ours",
        figure="fig6",
        unit="%",
        paper_value=None,
        measure="Share of lengths 5 to 17 in the projections of the exact sums on the gradient; "
        "interval by bootstrap over batches",
        target=at_least(_NEARLY_ALL),
        find=_projected,
        settle=_SETTLE,
    ),
)
