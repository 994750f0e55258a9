"""Measurements of claims 15, 17 to 20 and 22: ways of training, and comparisons of networks.

Claim 22 reads: "The performance increase from additional ensemble members gets smaller with
increasing ensemble size. Even though they are not strict ensembles, we show that residual networks
behave similarly." Both halves are measured with one statistic: on an ensemble that really votes,
and on the residual network, whose modules are taken for members.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from residual_ensembles.analysis.claims.claim import Finder, Measurement
from residual_ensembles.analysis.claims.lesion_measurements import ANY, ENOUGH_STEPS, authors_cost
from residual_ensembles.analysis.curves import curves, error_by_size, shrinking_gain, wrong_by_size
from residual_ensembles.analysis.deletion_costs import single_costs
from residual_ensembles.analysis.tables import Tables
from residual_ensembles.analysis.voting import VOTES
from residual_ensembles.models.architectures import residual_kinds
from residual_ensembles.statistics.intervals import Estimate, over_seeds, resampled, student
from residual_ensembles.statistics.paired import (
    difference_interval,
    discordant,
    equivalence_over_images,
    equivalence_over_seeds,
    holm,
    mcnemar,
)

MARGIN = 0.01
"""Largest difference of errors that counts as none: one point. The paper's was 0.14 points."""
FEWEST_MEMBERS = 3
"""Smallest number of members: two make one step, which has no second half."""
RESCALING = (
    "With c = 2^-(i-1), the batch norm that module i begins with gets mean' = c·mean, var' = "
    "c²·var and gamma' = gamma·√(var' + ε)/(c·√(var + ε)), and its last convolution c times its "
    "weights; the head's batch norm is rescaled in the same way, with c = 2^-n. Behind module i, "
    "activations are then 2^-i of the residual network's, and the logits are the same."
)
"""How a residual network becomes a highway network with gates at ½, in models/highway_twin.py."""


def _pairs(tables: Tables, gating: str) -> Iterator[tuple[str, str, list[int]]]:
    """Yields (network trained with `gating`, plain network of the same model, seeds of both)."""
    for network in tables.named(residual_kinds(), gating):
        for plain in tables.named((tables.of(network)[0].model,)):
            seeds = {run.seed for run in tables.of(plain)} & {r.seed for r in tables.of(network)}
            yield network, plain, sorted(seeds)


def intact_wrong(tables: Tables, network: str, seed: int) -> np.ndarray | None:
    """Returns which images the intact network gets wrong, None where it was not kept."""
    rows = tables.lesions[(tables.lesions.network == network) & (tables.lesions.seed == seed)]
    wrong = tables.wrong(network, seed)
    intact = np.flatnonzero(rows.sweep == "intact")
    return None if wrong is None or len(intact) == 0 else wrong[intact[0]]


def _wrong_of_pairs(tables: Tables) -> Iterator[tuple[str, list[tuple]]]:
    """Yields the name of each pair of claim 15, and (seed, wrong of the first, of the second)."""
    for network, plain, seeds in _pairs(tables, "effective_paths"):
        both = [
            (seed, intact_wrong(tables, network, seed), intact_wrong(tables, plain, seed))
            for seed in seeds
        ]
        kept = [(seed, a, b) for seed, a, b in both if a is not None and b is not None]
        if kept:
            yield f"{network} − {plain}", kept


def effective_paths_difference(confidence: float) -> Finder:
    """Returns a finder of the error after training on effective paths, minus the full network's.

    Two one-sided tests at 5 % pass exactly where the 90 % interval lies within the margin.
    """

    def find(tables: Tables) -> Iterator[Measurement]:
        for name, pairs in _wrong_of_pairs(tables):
            estimates, notes = [], []
            for seed, a, b in pairs:
                only_a, only_b = discordant(a, b)
                ends = difference_interval(only_a, only_b, len(a), confidence)
                estimates.append(Estimate((only_a - only_b) / len(a), *ends, len(a), "images"))
                notes.append(
                    f"seed {seed}: {100 * a.mean():.2f} % against {100 * b.mean():.2f} %, McNemar "
                    f"p = {mcnemar(only_a, only_b):.2g}, equivalence within one point p = "
                    f"{equivalence_over_images(only_a, only_b, len(a), MARGIN):.2g}"
                )
            joined = over_seeds(estimates)
            if joined is None:
                continue
            if joined.over == "seeds":
                values = [e.value for e in estimates]
                ends = student(values, confidence)
                joined = Estimate(joined.value, *ends, joined.n, "seeds")
                p_equal = equivalence_over_seeds(values, MARGIN)
                notes.append(f"over seeds, equivalence p = {p_equal:.2g}")
            yield Measurement(name, joined, "; ".join(notes) + ".")

    return find


def networks_at_hand(tables: Tables) -> Iterator[Measurement]:
    """Yields the same difference of the seed whose two networks differ most (claim 15c)."""
    for name, pairs in _wrong_of_pairs(tables):
        counts = [(*discordant(a, b), len(a)) for _, a, b in pairs]
        p = [mcnemar(only_a, only_b) for only_a, only_b, _ in counts]
        only_a, only_b, n = counts[int(np.argmin(p))]
        ends = difference_interval(only_a, only_b, n, confidence=1 - 0.05 / len(counts))
        estimate = Estimate((only_a - only_b) / n, *ends, n, "images")
        note = f"McNemar's exact test after Holm's correction: p = {min(holm(p)):.2g}."
        yield Measurement(name, estimate, note)


def _gain(plain: pd.Series, trained: pd.Series) -> tuple[float, float, float]:
    """Returns how much less a deletion costs, with the widest interval that both allow."""
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


def stochastic_depth_gain(
    gain: Callable[[pd.DataFrame, pd.DataFrame, tuple[int, ...]], Estimate], authors: str
) -> Finder:
    """Returns a finder of what stochastic depth saves of the cost of a deletion (17, 18).

    Args:
        gain: Takes the single costs of both networks of a seed, and the downsampling modules.
        authors: The authors' number, a field of `AuthorsCosts`.
    """

    def find(tables: Tables) -> Iterator[Measurement]:
        for network, plain, seeds in _pairs(tables, "stochastic_depth"):
            costs = [[single_costs(tables, name, s) for name in (plain, network)] for s in seeds]
            if joined := over_seeds(
                gain(a, b, tables.downsampling(plain))
                for a, b in costs
                if len(a) and list(a.module) == list(b.module)
            ):
                paper_value = authors_cost(tables.n_modules(plain), authors)
                yield Measurement(f"{plain} − {network}", joined, paper_value=paper_value)

    return find


def gate_shift(gates: pd.DataFrame) -> Estimate | None:
    """Returns the change of a network's mean gate by training; below 0 it is towards the skip."""
    table = gates.pivot_table(index="module", columns="when", values="mean_gate")
    if not {"before", "after"} <= set(table.columns):
        return None
    moved = (table.after - table.before).dropna()
    return Estimate(float(moved.mean()), *student(moved), len(moved), "modules")


def gate_shifts(tables: Tables) -> Iterator[Measurement]:
    """Yields the change of the mean gate of each highway network by training (claim 19)."""
    for (network, bias), gates in tables.gates.groupby(["network", "bias"], sort=False):
        if joined := over_seeds(gate_shift(of_seed) for _, of_seed in gates.groupby("seed")):
            means = gates.groupby("when").mean_gate.mean()
            note = (
                f"Gate bias {bias:g}. Mean gate {means['before']:.3f} before training, "
                f"{means['after']:.3f} after; above 0.5 would lean towards the residual."
            )
            yield Measurement(str(network), joined, note)


def half_gate_difference(tables: Tables) -> Iterator[Measurement]:
    """Yields the largest difference of any seed: an identity holds for each network (claim 20)."""
    for network, rows in tables.half_gates.groupby("network", sort=False):
        largest = float(rows.largest_relative_difference.max())
        n = int(rows.n_images.sum())
        note = f"Of {n} predictions {int(rows.n_different.sum())} differ. {RESCALING}"
        yield Measurement(str(network), Estimate(largest, largest, largest, n, "point"), note)


def _shrinking(rows: np.ndarray, over: str) -> Estimate:
    """Returns the shrinking gain of the mean of `rows`, `(n, sizes)`, with its interval."""
    return resampled(lambda some: shrinking_gain(some.mean(axis=-2)), rows, over)


def _training(tables: Tables, network: str) -> str:
    """Returns a note where members and network were not trained for equally many epochs."""
    of_members = {int(epochs) for epochs in tables.members.epochs}
    known = (run.facts.get("epochs") for run in tables.of(network))
    of_network = {int(epochs) for epochs in known if epochs}
    if not of_members or not of_network or of_members == of_network:
        return ""
    members, full = (" or ".join(map(str, sorted(e))) for e in (of_members, of_network))
    return (
        f" Each member was trained for {members} epochs, {network} for {full}: cost is counted in "
        "modules here, not in training."
    )


def gain_of_members(tables: Tables) -> Iterator[Measurement]:
    """Yields how much the gain from one more voting network shrinks (claim 22a)."""
    for vote in VOTES:
        wrong = [wrong_by_size(tables, seed, vote) for seed in tables.ensemble.seed.unique()]
        if joined := over_seeds(
            _shrinking(each, "images") for each in wrong if each.shape[1] >= FEWEST_MEMBERS
        ):
            curve = error_by_size(tables, vote)
            errors = ", ".join(f"{100 * error:.2f}" for error in curve.error)
            note = f"Errors of 1 to {len(curve)} members: {errors} %."
            note += _training(tables, next(iter(tables.plain), ""))
            name = f"{len(curve)} networks of {curve.n_modules.iloc[0]} modules, {vote}"
            yield Measurement(name, joined, note)


def _note_at_equal_cost(tables: Tables, network: str, errors: np.ndarray) -> str:
    """Compares the residual network with the ensemble, both without about a third of their cost."""
    sub_ensembles = error_by_size(tables, next(iter(VOTES)))
    n = tables.n_modules(network)
    deleted = round(n / 3)
    if sub_ensembles.empty or not n or deleted >= len(errors):
        return ""
    nearest = sub_ensembles.loc[(sub_ensembles.n_modules - (n - deleted)).abs().idxmin()]
    return (
        f"{network} without {deleted} of {n} modules: {100 * errors[deleted]:.2f} %. Ensemble of "
        f"{nearest['size']:.0f} members, {nearest.n_modules:.0f} modules in all: "
        f"{100 * nearest.error:.2f} %.{_training(tables, network)}"
    )


def gain_of_modules(tables: Tables) -> Iterator[Measurement]:
    """Yields how much the gain from one more module shrinks (claim 22b)."""
    for network in tables.plain:
        drawn = [curves(tables, network, run.seed, ANY) for run in tables.of(network)]
        drawn = [draws for draws in drawn if draws.shape[1] > ENOUGH_STEPS]
        # From the most modules deleted to none: modules are added, as members are.
        if joined := over_seeds(_shrinking(draws[:, ::-1], "draws") for draws in drawn):
            mean = np.mean([draws.mean(axis=0) for draws in drawn], axis=0)
            yield Measurement(network, joined, _note_at_equal_cost(tables, network, mean))
