"""The results of a study as a table for a README."""

import pandas as pd

from residual_ensembles.analysis import Tables
from residual_ensembles.figures.errors import repetitions
from residual_ensembles.report.numbers import NOTHING

HEADER = (
    "network",
    "intact, % (95 %)",
    "median of single deletions, %",
    "worst single deletion, % (module)",
    "10 deleted at random, %",
    "20 deleted, %",
)


def results_table(tables: Tables) -> str:
    """Returns errors of each network in percent, as a Markdown table.

    Args:
        tables: A study. Errors of several seeds are averaged, save for the interval of the intact
            network, which is shown for a single seed only.
    """
    rows = [HEADER, ("---",) * len(HEADER)]
    rows += [_row(tables, network) for network in tables.networks]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _row(tables: Tables, network: str) -> tuple[str, ...]:
    single = tables.sweep(network, "single_deletion")
    by_module = single.groupby("lesion").error_fraction.mean()
    return (
        f"`{network}`",
        _intact(tables.sweep(network, "intact")),
        _percent(by_module.median()),
        f"{_percent(by_module.max())} ({by_module.idxmax().removeprefix('delete ')})",
        _deleted(tables.sweep(network, "random_deletion"), 10),
        _deleted(tables.sweep(network, "random_deletion"), 20),
    )


def _intact(rows: pd.DataFrame) -> str:
    if len(rows) == 1:
        row = rows.iloc[0]
        return (
            f"{_percent(row.error_fraction)} ({_percent(row.error_low)}–{_percent(row.error_high)})"
        )
    return f"{_percent(rows.error_fraction.mean())} (n={len(rows)})"


def _deleted(rows: pd.DataFrame, k: int) -> str:
    """Returns mean, standard deviation and number of the draws of k deleted modules, or seeds."""
    result = rows[rows.n_operations == k]
    if result.empty:
        return NOTHING
    errors, n_seeds = 100 * repetitions(result), result.seed.nunique()
    of = f"{n_seeds} seeds" if n_seeds > 1 else len(errors)
    return f"{errors.mean():.1f} ± {errors.std():.1f} (n={of})"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f}"
