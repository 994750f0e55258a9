"""Curves of errors over the seeds of a network, in percent, as figures draw them."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from residual_ensembles.analysis import Tables
from residual_ensembles.analysis.tables import deleted
from residual_ensembles.figures import style
from residual_ensembles.statistics.intervals import student

SWEEPS = {
    "random_deletion_sparing": ("sparing first, downsampling", style.SPARING),
    "random_deletion": ("any module", style.ANY),
}
"""Random deletions, with their label in figures and their look."""


def single_deletions(tables: Tables, network: str) -> pd.DataFrame:
    """Returns the error after every single deletion.

    With one seed the band is Wilson's over images, with more Student's over seeds.

    Returns:
        Columns module, error, low, high (percent), sorted by module.
    """
    rows = tables.sweep(network, "single_deletion")
    rows = rows.assign(module=[deleted(lesion)[0] for lesion in rows.lesion])
    points = []
    for module, lesions in rows.groupby("module"):
        if len(lesions) > 1:
            low, high = student(lesions.error_fraction)
        else:
            low, high = lesions.error_low.iloc[0], lesions.error_high.iloc[0]
        points.append((module, lesions.error_fraction.mean(), low, high))
    return _percent(pd.DataFrame(points, columns=["module", "error", "low", "high"]))


def by_operations(tables: Tables, network: str, sweep: str) -> pd.DataFrame:
    """Returns the mean error by number of operations.

    With one seed the band is Student's over draws, with more over the seeds' means: a draw is the
    same modules for every seed, so that those of several seeds are not independent.

    Returns:
        Columns n_operations, error, low, high (percent).
    """
    points = [
        (k, lesions.error_fraction.mean(), *student(repetitions(lesions)))
        for k, lesions in tables.sweep(network, sweep).groupby("n_operations")
    ]
    return _percent(pd.DataFrame(points, columns=["n_operations", "error", "low", "high"]))


def repetitions(lesions: pd.DataFrame) -> pd.Series:
    """Returns independent errors: those of the draws of one seed, or the means of several seeds."""
    of_seeds = lesions.groupby("seed").error_fraction
    return of_seeds.mean() if of_seeds.ngroups > 1 else lesions.error_fraction


def bands_over(tables: Tables) -> str:
    """Returns what the bands of the plain networks are over: seeds, or draws."""
    several = any(len(tables.of(network)) > 1 for network in tables.plain)
    return "over seeds" if several else "over draws"


def draw_curve(axes: Axes, x, points: pd.DataFrame, look: style.Look, label: str) -> None:
    """Draws errors with their band: columns error, low, high of `points`, against `x`."""
    style.curve(axes, x, points.error, look, label, points.low, points.high)


def draw_intact(axes: Axes, error: float, color: str, label: str) -> None:
    """Draws the error of an intact network, in percent, as a dashed line."""
    axes.axhline(error, color=color, linewidth=0.9, linestyle=style.DASHED, label=label)


def intact(tables: Tables, network: str) -> float:
    """Returns the mean intact error in percent, NaN where it was not measured."""
    return 100 * float(tables.sweep(network, "intact").error_fraction.mean())


def bases(tables: Tables, networks: Iterable[str], *sweeps: str) -> str:
    """Returns lesions, images and seeds behind the curves of several networks."""
    return "; ".join(f"{network}: {basis(tables, network, *sweeps)}" for network in networks)


def basis(tables: Tables, network: str, *sweeps: str) -> str:
    """Returns lesions, images and seeds behind curves of these sweeps."""
    rows = tables.sweep(network, *sweeps)
    if rows.empty:
        return "no lesions in this study"
    seeds = rows.seed.nunique()
    lesions = len(rows) // seeds
    fewest, most = int(rows.n_images.min()), int(rows.n_images.max())
    images = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    return f"{lesions:,} lesions × {images} test images, {seeds} seed{'s' if seeds > 1 else ''}"


def _percent(frame: pd.DataFrame) -> pd.DataFrame:
    for column in ("error", "low", "high"):
        frame[column] = (100 * frame[column].astype(float)).clip(0, 100)
    return frame.replace([np.inf, -np.inf], np.nan)
