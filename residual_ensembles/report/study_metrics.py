"""metrics.json: the study in a handful of numbers, for `dvc metrics show`."""

import pandas as pd

from residual_ensembles.analysis import Tables
from residual_ensembles.report.summary import tally

ROUNDED = 4
"""Decimals; more than any study's pictures can tell."""


def metrics(tables: Tables, claims: pd.DataFrame) -> dict[str, float | int]:
    """Returns flat metrics, errors in percent, means over seeds and draws.

    Args:
        tables: The study.
        claims: Its claims.csv.
    """
    found: dict[str, float | int] = {}
    for network in tables.networks:
        intact = tables.sweep(network, "intact").error_fraction
        single = tables.sweep(network, "single_deletion").error_fraction
        found[f"{network}_intact_error_percent"] = 100 * intact.mean()
        found[f"{network}_median_single_deletion_error_percent"] = 100 * single.median()
        for k in (10, 20):
            for sweep, name in (("random_deletion", "any"), ("random_deletion_sparing", "spared")):
                rows = tables.sweep(network, sweep)
                errors = rows.error_fraction[rows.n_operations == k]
                found[f"{network}_{k}_deleted_{name}_error_percent"] = 100 * errors.mean()
    found = {name: round(float(value), ROUNDED) for name, value in found.items() if value == value}
    for verdict, count in tally(claims).items():
        found[f"claims_{verdict.replace(' ', '_')}"] = count
    return found
