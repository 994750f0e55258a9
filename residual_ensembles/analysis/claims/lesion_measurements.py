"""Measurements of claims 1 to 7: the error of plain networks under lesions (Figs. 3 and 5)."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from residual_ensembles.analysis.claims.claim import Finder, Measurement
from residual_ensembles.analysis.curves import curves, largest_step
from residual_ensembles.analysis.deletion_costs import BARELY, single_costs
from residual_ensembles.analysis.tables import Tables
from residual_ensembles.paths.length_profile import PAPER_N
from residual_ensembles.statistics.intervals import Estimate, over_draws, over_seeds, resampled
from residual_ensembles.statistics.paired import holm
from residual_ensembles.statistics.rank_correlation import spearman


class AuthorsCosts(NamedTuple):
    """Single deletions in the authors' own data on CIFAR-10, at one depth."""

    median: float
    """Median cost of a module that does not downsample, as a fraction (claim 1)."""
    peak: float
    """Cost of the cheaper downsampling module minus the 90 % quantile of the others' (claim 2)."""
    typical_gain: float | None = None
    """Decrease of the median by stochastic depth (claim 17); None where it was not trained."""
    extra_gain: float | None = None
    """Decrease at the downsampling modules minus that of the median (claim 18)."""


AUTHORS = {
    9: AuthorsCosts(0.30465, -0.04468, 0.27696, 0.37335),
    15: AuthorsCosts(0.09626, -0.14088, 0.08783, 0.20000),
    21: AuthorsCosts(0.03998, 0.03984),
    27: AuthorsCosts(0.01773, 0.00548, 0.01836, 0.09655),
    54: AuthorsCosts(0.00413, 0.05284, 0.00296, 0.05225),
}
"""Costs of ResNet-20, 32, 44, 56 and 110, by number of modules."""
ANY = "random_deletion"
SPARING = "random_deletion_sparing"
ENOUGH_STEPS = 10
"""Smallest number of steps of a curve whose smoothness is tested."""
FEWEST_REORDERINGS = 20
"""Smallest number of re-orderings of one seed that are tested."""


def authors_cost(n_modules: int, name: str) -> float | None:
    """Returns a field of `AuthorsCosts`; None where the authors have no network as deep."""
    return getattr(AUTHORS[n_modules], name) if n_modules in AUTHORS else None


def median_cost(costs: pd.DataFrame, downsampling: tuple[int, ...]) -> Estimate | None:
    """Returns the median cost over the modules that do not downsample.

    A median does not fall when its arguments rise, so the median of the modules' lower ends bounds
    it from below, and that of their upper ends from above.
    """
    rest = costs[~costs.module.isin(downsampling)]
    if rest.empty:
        return None
    value, low, high = (float(rest[end].median()) for end in ("cost", "low", "high"))
    return Estimate(value, low, high, int(rest.n_images.iloc[0]), "images")


def exceptions(costs: pd.DataFrame) -> list[int]:
    """Returns the modules that cost significantly more than `BARELY`, after Holm's correction."""
    tested = costs.p_barely.notna().all()
    sure = np.asarray(holm(list(costs.p_barely))) < 0.05 if tested else costs.low > BARELY
    return [int(module) for module in costs.module[sure]]


def _costs(tables: Tables) -> Iterator[tuple[str, list[pd.DataFrame], tuple[int, ...]]]:
    """Yields each plain network, the single costs of its seeds, and its downsampling modules."""
    for network in tables.plain:
        costs = [single_costs(tables, network, run.seed) for run in tables.of(network)]
        yield network, [table for table in costs if len(table)], tables.downsampling(network)


def typical_cost(tables: Tables) -> Iterator[Measurement]:
    """Yields the median cost of a single deletion (claim 1)."""
    for network, costs, downsampling in _costs(tables):
        if joined := over_seeds(median_cost(of_seed, downsampling) for of_seed in costs):
            named = sorted({module for of_seed in costs for module in exceptions(of_seed)})
            n_modules = tables.n_modules(network)
            note = (
                "Modules that cost more than two points (one-sided score tests, Holm): "
                f"{', '.join(map(str, named)) or 'none'}."
            )
            if n_modules == PAPER_N:
                note += (
                    " In the authors' own data: 1, 11, 19 and 37, of which 19 and 37 downsample."
                )
            yield Measurement(network, joined, note, authors_cost(n_modules, "median"))


def _peak(costs: pd.DataFrame, downsampling: tuple[int, ...]) -> Estimate | None:
    peaks = costs[costs.module.isin(downsampling)]
    rest = costs[~costs.module.isin(downsampling)]
    if peaks.empty or rest.empty:
        return None
    return Estimate(
        float(peaks.cost.min() - rest.cost.quantile(0.9)),
        float(peaks.low.min() - rest.high.quantile(0.9)),
        float(peaks.high.min() - rest.low.quantile(0.9)),
        int(costs.n_images.iloc[0]),
        "images",
    )


def downsampling_peaks(tables: Tables) -> Iterator[Measurement]:
    """Yields how far the downsampling modules stand out among single deletions (claim 2)."""
    for network, costs, downsampling in _costs(tables):
        if joined := over_seeds(_peak(of_seed, downsampling) for of_seed in costs):
            means = pd.concat([of_seed[["module", "cost"]] for of_seed in costs])
            means = means.groupby("module", as_index=False).cost.mean()
            top = means.nlargest(4, "cost")
            named = (
                f"{m} ({100 * c:.1f} points)" for m, c in zip(top.module, top.cost, strict=True)
            )
            note = (
                f"Downsampling modules: {', '.join(map(str, downsampling))}. Costliest modules: "
                f"{', '.join(named)}."
            )
            if top.module.iloc[0] not in downsampling:
                note += " The highest peak is no downsampling module."
            paper_value = authors_cost(tables.n_modules(network), "peak")
            yield Measurement(network, joined, note, paper_value)


def mildest_layer(tables: Tables) -> Iterator[Measurement]:
    """Yields the lowest error of a VGG without one layer, minus that of guessing (claim 3)."""
    for network in tables.named(("vgg",)):
        n_classes = tables.n_classes(network)
        if not n_classes:
            continue
        chance = 1 - 1 / n_classes
        singles = tables.sweep(network, "single_deletion")
        best = singles.loc[singles.groupby("seed").error_fraction.idxmin()]
        joined = over_seeds(
            Estimate(
                float(row.error_fraction) - chance,
                float(row.error_low) - chance,
                float(row.error_high) - chance,
                int(row.n_images),
                "images",
            )
            for row in best.itertuples()
        )
        if joined:
            note = (
                f"Chance is {100 * chance:.1f} % error. Errors range from "
                f"{100 * singles.error_fraction.min():.1f} to "
                f"{100 * singles.error_fraction.max():.1f} %. A VGG has one path, and none is left "
                "once a layer is deleted."
            )
            yield Measurement(network, joined, note)


def on_curves(
    sweep: str,
    k: int,
    estimate: Callable[[np.ndarray], Estimate],
    note: str = "",
    n_modules: int | None = None,
) -> Finder:
    """Returns a finder that applies `estimate` to the curves of every plain network.

    Args:
        sweep: The random deletions, `ANY` or `SPARING`.
        k: Number of operations that the curves have to reach.
        estimate: Takes curves `(draws, k + 1)`, errors as fractions.
        note: Text that follows the number.
        n_modules: Number of modules of the networks that the claim speaks of; by default any.
    """

    def find(tables: Tables) -> Iterator[Measurement]:
        for network in tables.plain:
            if n_modules not in (None, tables.n_modules(network)):
                continue
            drawn = (curves(tables, network, run.seed, sweep) for run in tables.of(network))
            if joined := over_seeds(estimate(draws) for draws in drawn if draws.shape[1] > k):
                yield Measurement(network, joined, note)

    return find


def error_at(k: int) -> Callable[[np.ndarray], Estimate]:
    """Returns the estimate of the mean error with `k` modules deleted."""
    return lambda draws: over_draws(draws[:, k])


def rise_to(k: int) -> Callable[[np.ndarray], Estimate]:
    """Returns the estimate of the mean rise of the error with `k` modules deleted."""
    return lambda draws: over_draws(draws[:, k] - draws[:, 0])


def with_paths(draws: np.ndarray) -> Estimate:
    """Returns Spearman's correlation of error and number of valid paths over all lesions.

    Of n modules k are deleted and 2^(n-k) paths left; ranks need only the exponent.
    """

    def correlation(rows: np.ndarray) -> np.ndarray:
        errors = rows[..., 1:]
        exponents = np.broadcast_to(-np.arange(1, rows.shape[-1]), errors.shape)
        flat = (*errors.shape[:-2], -1)
        return spearman(exponents.reshape(flat), errors.reshape(flat))

    return resampled(correlation, draws, limits=(-1, 1))


def tenths(points: np.ndarray) -> np.ndarray:
    """Returns the mean error of ten equal groups, from the largest tau down, `(..., 10)`.

    Args:
        points: (tau, error), `(..., points, 2)`.
    """
    falling = np.argsort(-points[..., 0], axis=-1, kind="stable")
    errors = np.take_along_axis(points[..., 1], falling, axis=-1)
    groups = np.array_split(errors, 10, axis=-1)
    return np.stack([group.mean(axis=-1) for group in groups], axis=-1)


def _on_reorderings(
    statistic: Callable[[np.ndarray], np.ndarray], limits: tuple[float, float]
) -> Finder:
    """Returns a finder that applies `statistic` to the points of every plain network."""

    def find(tables: Tables) -> Iterator[Measurement]:
        for network in tables.plain:
            rows = tables.sweep(network, "reorder").dropna(subset="kendall_tau")
            estimates = []
            for _, lesions in rows.groupby("seed"):
                points = lesions[["kendall_tau", "error_fraction"]].to_numpy(float)
                if len(points) >= FEWEST_REORDERINGS:
                    estimates.append(resampled(statistic, points, limits=limits))
            if joined := over_seeds(estimates):
                yield Measurement(network, joined)

    return find


order_correlation = _on_reorderings(
    lambda points: spearman(points[..., 0], points[..., 1]), (-1, 1)
)
"""Spearman's correlation of Kendall's tau and error (claim 7a)."""
# Ten groups make nine steps, of which the largest is no smaller than a ninth of the rise.
order_step = _on_reorderings(lambda points: largest_step(tenths(points)), (1 / 9, math.inf))
"""The largest step of the error as the order is corrupted, as a share of its rise (claim 7b)."""
