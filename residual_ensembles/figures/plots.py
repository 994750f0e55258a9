"""Small tables for `dvc plots show`: errors in percent, one column a coordinate."""

import pandas as pd

from residual_ensembles.analysis import Tables
from residual_ensembles.figures import errors

TRAINING = ["network", "seed", "epoch", "error_percent"]
SINGLE = ["network", "module", "error_percent"]
RANDOM = ["network", "sweep", "n_deleted", "error_percent"]


def plot_tables(tables: Tables) -> dict[str, pd.DataFrame]:
    """Returns the tables by file name without ending.

    Returns:
        training (network, seed, epoch, error_percent on what it trains on), single_deletion
        (network, module, error_percent) and random_deletion (network, sweep, n_deleted,
        error_percent).
    """
    training = [
        tables.history(run).assign(network=run.network, seed=run.seed) for run in tables.runs
    ]
    single = [
        errors.single_deletions(tables, network).assign(network=network)
        for network in tables.networks
    ]
    deletion = [
        errors.by_operations(tables, network, sweep).assign(network=network, sweep=sweep)
        for network in tables.networks
        for sweep in ("random_deletion", "random_deletion_sparing")
    ]
    for epochs in training:
        epochs["error"] = 100.0 * epochs["error_fraction"]
    return {
        "training": _joined(training, TRAINING),
        "single_deletion": _joined(single, SINGLE),
        "random_deletion": _joined(deletion, RANDOM),
    }


def _joined(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return pd.DataFrame(columns=columns)
    names = {"error": "error_percent", "n_operations": "n_deleted"}
    return pd.concat(filled, ignore_index=True).rename(columns=names)[columns].round(4)
