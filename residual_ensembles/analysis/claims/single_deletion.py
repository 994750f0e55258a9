"""Claims 1 to 3: one module less (Section 4.1, Fig. 3)."""

import numpy as np
import pandas as pd

from residual_ensembles.analysis.claims.claim import Claim, Measurement, above, at_least, at_most
from residual_ensembles.analysis.deletion_costs import BARELY, single_costs
from residual_ensembles.analysis.tables import Tables
from residual_ensembles.statistics.intervals import Estimate, over_seeds
from residual_ensembles.statistics.significance import holm

CHANCE_MARGIN = 0.05
"""The authors' own VGG layers end between 88 and 98 % error; chance is 90 %."""


def median_cost(costs: pd.DataFrame, leave_out: tuple[int, ...]) -> Estimate | None:
    """Returns the median cost over the modules that are not left out.

    A median does not fall when its arguments rise, so the median of the modules' lower ends bounds
    it from below, and that of their upper ends from above.
    """
    rest = costs[~costs.module.isin(leave_out)]
    if rest.empty:
        return None
    n = int(rest.n_images.iloc[0])
    value, low, high = (float(rest[end].median()) for end in ("cost", "low", "high"))
    return Estimate(value, low, high, n, "images")


def exceptions(costs: pd.DataFrame) -> list[int]:
    """Returns the modules that cost more than barely, also after Holm's correction."""
    tested = costs.p_barely.notna().all()
    sure = np.asarray(holm(list(costs.p_barely))) < 0.05 if tested else costs.low > BARELY
    return [int(module) for module in costs.module[sure]]


def _costs(tables: Tables, network: str) -> list[pd.DataFrame]:
    """Returns the single costs of each seed of a network that has them."""
    result = [single_costs(tables, network, run.seed) for run in tables.of(network)]
    return [costs for costs in result if len(costs)]


def _barely(tables: Tables) -> list[Measurement]:
    measurements = []
    for network in tables.plain:
        costs, leave_out = _costs(tables, network), tables.downsampling(network)
        estimates = [median_cost(of_seed, leave_out) for of_seed in costs]
        joined = over_seeds([e for e in estimates if e is not None])
        if joined is None:
            continue
        named = sorted({module for of_seed in costs for module in exceptions(of_seed)})
        note = (
            "Modules that cost more than two points (one-sided score tests, Holm): "
            f"{', '.join(map(str, named)) or 'none'}. In the authors' own data: 1, 11, 19 and 37, "
            "of which 19 and 37 downsample."
        )
        measurements.append(Measurement(network, joined, note))
    return measurements


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


def _peaks(tables: Tables) -> list[Measurement]:
    measurements = []
    for network in tables.plain:
        costs, downsampling = _costs(tables, network), tables.downsampling(network)
        estimates = [_peak(of_seed, downsampling) for of_seed in costs]
        joined = over_seeds([e for e in estimates if e is not None])
        if joined is None:
            continue
        means = pd.concat([of_seed[["module", "cost"]] for of_seed in costs])
        means = means.groupby("module", as_index=False).cost.mean()
        top = means.nlargest(4, "cost")
        named = [f"{m} ({100 * c:.1f} points)" for m, c in zip(top.module, top.cost, strict=True)]
        note = (
            f"Downsampling modules: {', '.join(map(str, downsampling))}. Costliest modules: "
            f"{', '.join(named)}."
        )
        if top.module.iloc[0] not in downsampling:
            note += " The highest peak is no downsampling module."
        measurements.append(Measurement(network, joined, note))
    return measurements


def _above_chance(tables: Tables, network: str, n_classes: int) -> Estimate | None:
    singles = tables.sweep(network, "single_deletion")
    estimates = []
    for _, rows in singles.groupby("seed"):
        best = rows.loc[rows.error_fraction.idxmin()]
        chance = 1 - 1 / n_classes
        estimates.append(
            Estimate(
                float(best.error_fraction) - chance,
                float(best.error_low) - chance,
                float(best.error_high) - chance,
                int(best.n_images),
                "images",
            )
        )
    return over_seeds(estimates)


def _chance(tables: Tables) -> list[Measurement]:
    measurements = []
    for network in tables.named(("vgg",)):
        n_classes = tables.n_classes(network)
        estimate = _above_chance(tables, network, n_classes) if n_classes else None
        if estimate is not None:
            singles = tables.sweep(network, "single_deletion")
            note = (
                f"Chance is {100 * (1 - 1 / n_classes):.1f} % error. Errors range from "
                f"{100 * singles.error_fraction.min():.1f} to "
                f"{100 * singles.error_fraction.max():.1f} %. A VGG has one path, and none is left "
                "once a layer is deleted."
            )
            measurements.append(Measurement(network, estimate, note))
    return measurements


CLAIMS = (
    Claim(
        id="1",
        statement="Deleting one module of a residual network barely matters.",
        source="Section 4.1, Fig. 3; number: the authors' data",
        figure="fig3",
        unit="points",
        paper_value=0.00413,
        measure="Median over the modules that do not downsample of the cost (error with the module "
        "deleted minus intact error, as fractions)",
        target=at_most(BARELY),
        find=_barely,
        settle="Single deletions of a plain residual network on enough test images.",
    ),
    Claim(
        id="2",
        statement="The peaks are the downsampling modules.",
        source="Section 4.1, Fig. 3; number: the authors' data",
        figure="fig3",
        unit="points",
        paper_value=0.05284,
        measure="Cost of the cheaper downsampling module minus the 90 % quantile of the costs of "
        "the other modules, as fractions",
        target=above(0),
        find=_peaks,
        settle="Single deletions of a plain residual network with stages, on enough test images.",
    ),
    Claim(
        id="3",
        statement="Deleting any layer of a VGG leads to chance level: its only path is gone.",
        source="Section 4.1, Fig. 3; number: the authors' notebook (lowest 88.4 %)",
        figure="fig3",
        unit="points",
        paper_value=-0.0159,
        measure="Lowest error with one layer deleted minus the error of guessing, as fractions",
        target=at_least(-CHANCE_MARGIN),
        find=_chance,
        settle="Single deletions of a VGG on enough test images.",
    ),
)
