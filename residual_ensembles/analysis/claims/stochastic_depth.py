"""Claims 17 and 18: lesions after training with stochastic depth (Section 5, Fig. 8)."""

from collections.abc import Callable

import pandas as pd

from residual_ensembles.analysis.claims.claim import Claim, Measurement, above
from residual_ensembles.analysis.deletion_costs import single_costs
from residual_ensembles.analysis.tables import Tables
from residual_ensembles.models.architectures import residual_kinds
from residual_ensembles.statistics.intervals import Estimate, over_seeds


def _gain(plain: pd.Series, trained: pd.Series) -> tuple[float, float, float]:
    """Returns how much less something costs, with the widest interval that both allow."""
    return (
        float(plain.cost - trained.cost),
        float(plain.low - trained.high),
        float(plain.high - trained.low),
    )


def typical_gain(plain: pd.DataFrame, trained: pd.DataFrame, downsampling) -> Estimate:
    """Returns by how much the median cost over the ordinary modules is lower after `trained`."""
    columns = ["cost", "low", "high"]
    medians = (c[~c.module.isin(downsampling)][columns].median() for c in (plain, trained))
    return Estimate(*_gain(*medians), int(plain.n_images.iloc[0]), "images")


def extra_gain(plain: pd.DataFrame, trained: pd.DataFrame, downsampling) -> Estimate:
    """Returns by how much the gain at the downsampling modules exceeds the typical one."""
    columns = ["cost", "low", "high"]
    means = (c[c.module.isin(downsampling)][columns].mean() for c in (plain, trained))
    value, low, high = _gain(*means)
    rest = typical_gain(plain, trained, downsampling)
    return Estimate(value - rest.value, low - rest.high, high - rest.low, rest.n, "images")


def _compared(
    estimate: Callable[[pd.DataFrame, pd.DataFrame, tuple[int, ...]], Estimate],
) -> Callable[[Tables], list[Measurement]]:
    def find(tables: Tables) -> list[Measurement]:
        measurements = []
        for network in tables.named(residual_kinds(), "stochastic_depth"):
            for plain in tables.named((tables.of(network)[0].model,)):
                seeds = {r.seed for r in tables.of(plain)} & {r.seed for r in tables.of(network)}
                downsampling = tables.downsampling(plain)
                costs = [
                    (single_costs(tables, plain, seed), single_costs(tables, network, seed))
                    for seed in sorted(seeds)
                ]
                joined = over_seeds(
                    [
                        estimate(a, b, downsampling)
                        for a, b in costs
                        if len(a) and list(a.module) == list(b.module)
                    ]
                )
                if joined is not None:
                    measurements.append(Measurement(f"{plain} − {network}", joined))
        return measurements

    return find


_SETTLE = "Single deletions of both networks, three seeds or more each."

CLAIMS = (
    Claim(
        id="17",
        statement="Training with stochastic depth makes deletion slightly more harmless.",
        source="Section 5, Fig. 8; number: the authors' data",
        figure="fig8",
        unit="points",
        paper_value=0.00296,
        measure="Median cost of a single deletion over the modules that do not downsample, plain "
        "network minus network trained with stochastic depth, as fractions, over seeds",
        target=above(0),
        find=_compared(typical_gain),
        settle=_SETTLE,
        of_training=True,
    ),
    Claim(
        id="18",
        statement="It does so mostly at the downsampling modules.",
        source="Section 5, Fig. 8; number: the authors' data",
        figure="fig8",
        unit="points",
        paper_value=0.05225,
        measure="Mean cost saved at the downsampling modules minus the median cost saved at the "
        "others, as fractions, over seeds",
        target=above(0),
        find=_compared(extra_gain),
        settle=_SETTLE,
        of_training=True,
    ),
)
