"""Every figure that there is, and all of a study drawn."""

import pandas as pd

from residual_ensembles.analysis import Tables
from residual_ensembles.figures import (
    errors,
    fig1_unraveled,
    fig2_deleted_module,
    fig3_single_deletion,
    fig4_imagenet,
    fig5_random_lesions,
    fig6_path_gradients,
    fig7_paths_left,
    fig8_stochastic_depth,
    fig9_additive_prediction,
    fig10_cancellation,
    fig11_modules,
    fig12_training,
    fig13_ensemble,
    fig14_gradient_by_module,
    fig15_effective_ranges,
    fig16_importance,
    fig17_pruning,
    style,
)
from residual_ensembles.figures.figure_spec import FigureSpec
from residual_ensembles.storage.files import write_csv

FIGURES: tuple[FigureSpec, ...] = (
    fig1_unraveled.FIGURE,
    fig2_deleted_module.FIGURE,
    fig3_single_deletion.FIGURE,
    fig4_imagenet.FIGURE,
    fig5_random_lesions.FIGURE,
    fig6_path_gradients.FIGURE,
    fig7_paths_left.FIGURE,
    fig8_stochastic_depth.FIGURE,
    fig9_additive_prediction.FIGURE,
    fig10_cancellation.FIGURE,
    fig11_modules.FIGURE,
    fig12_training.FIGURE,
    fig13_ensemble.FIGURE,
    fig14_gradient_by_module.FIGURE,
    fig15_effective_ranges.FIGURE,
    fig16_importance.FIGURE,
    fig17_pruning.FIGURE,
)
"""Every figure, in the order in which they are shown."""


def plot_tables(tables: Tables) -> dict[str, pd.DataFrame]:
    """Returns small tables for `dvc plots show`, by file name without ending.

    Errors are in percent; those of `training` are on the images that it trains on.
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
        "training": _joined(training, ["network", "seed", "epoch", "error_percent"]),
        "single_deletion": _joined(single, ["network", "module", "error_percent"]),
        "random_deletion": _joined(deletion, ["network", "sweep", "n_deleted", "error_percent"]),
    }


def _joined(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return pd.DataFrame(columns=columns)
    names = {"error": "error_percent", "n_operations": "n_deleted"}
    return pd.concat(filled, ignore_index=True).rename(columns=names)[columns].round(4)


def draw_figures(tables: Tables) -> int:
    """Draws figures/ and writes plots/, small tables for `dvc plots show`, into a study's folder.

    Args:
        tables: Tables of the study.

    Returns:
        How many figures there are.
    """
    wanted = [spec for spec in FIGURES if spec.wanted(tables)]
    for spec in wanted:
        style.save(spec.draw(tables), tables.folder / "figures", spec.name)
    for name, table in plot_tables(tables).items():
        write_csv(tables.folder / "plots" / f"{name}.csv", table)
    return len(wanted)
