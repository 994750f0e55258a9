"""Claim 22: ensemble-like behavior (Sections 2 and 4.2).

"The performance increase from additional ensemble members gets smaller with increasing ensemble
size. Even though they are not strict ensembles, we show that residual networks behave similarly."
Both halves are measured with one statistic: on an ensemble that really votes, and on the residual
network, whose modules are taken for members.
"""

import numpy as np

from residual_ensembles.analysis.claims.claim import (
    BOTH_SIDES,
    Claim,
    Measurement,
    above,
)
from residual_ensembles.analysis.claims.random_deletion import ANY, ENOUGH_STEPS
from residual_ensembles.analysis.curves import curves, shrinking_gain
from residual_ensembles.analysis.sub_ensembles import error_by_size, wrong_by_size
from residual_ensembles.analysis.tables import Tables
from residual_ensembles.analysis.voting import VOTES
from residual_ensembles.statistics.intervals import Estimate, bootstrap, over_seeds

FEWEST_MEMBERS = 3
"""Two members make one step, which has no second half."""


def _of_mean(rows: np.ndarray) -> float:
    return shrinking_gain(rows.mean(axis=0))


def _estimate(rows: np.ndarray, over: str) -> Estimate:
    return Estimate(_of_mean(rows), *bootstrap(_of_mean, rows), len(rows), over)


def _percent(fractions) -> str:
    return ", ".join(f"{100 * value:.2f}" for value in fractions)


def _training(tables: Tables, network: str) -> str:
    """Says where members and the network were not trained for equally long."""
    of_members = {int(epochs) for epochs in tables.members.epochs}
    known = (run.facts.get("epochs") for run in tables.of(network))
    of_network = {int(epochs) for epochs in known if epochs}
    if not of_members or not of_network or of_members == of_network:
        return ""
    members, whole = (" or ".join(map(str, sorted(e))) for e in (of_members, of_network))
    return (
        f"Each member was trained for {members} epochs, {network} for {whole}: cost is counted in "
        "modules here, not in training."
    )


def _sub_ensembles(tables: Tables) -> list[Measurement]:
    measurements = []
    for vote in VOTES:
        result = [wrong_by_size(tables, seed, vote) for seed in tables.ensemble.seed.unique()]
        result = [wrong for wrong in result if wrong.shape[1] >= FEWEST_MEMBERS]
        joined = over_seeds([_estimate(wrong, "images") for wrong in result])
        if joined is None:
            continue
        curve = error_by_size(tables, vote)
        each = int(curve.n_modules.iloc[0])
        note = f"Errors of 1 to {len(curve)} members: {_percent(curve.error)} %."
        note = f"{note} {_training(tables, next(iter(tables.plain), ''))}".rstrip()
        name = f"{len(curve)} networks of {each} modules, {vote}"
        measurements.append(Measurement(name, joined, note))
    return measurements


def _beside(tables: Tables, network: str, errors: np.ndarray) -> str:
    """Sets the residual network beside the ensemble, both without about a third of their cost."""
    sub_ensembles = error_by_size(tables, next(iter(VOTES)))
    n = tables.n_modules(network)
    deleted = round(n / 3)
    if sub_ensembles.empty or not n or deleted >= len(errors):
        return ""
    nearest = sub_ensembles.loc[(sub_ensembles.n_modules - (n - deleted)).abs().idxmin()]
    return (
        f"{network} without {deleted} of {n} modules: {_percent([errors[deleted]])} %. Ensemble of "
        f"{nearest['size']:.0f} members, {nearest.n_modules:.0f} modules in all: "
        f"{_percent([nearest.error])} %. {_training(tables, network)}"
    ).rstrip()


def _modules(tables: Tables) -> list[Measurement]:
    measurements = []
    for network in tables.plain:
        drawn = [curves(tables, network, run.seed, ANY) for run in tables.of(network)]
        drawn = [draws for draws in drawn if draws.shape[1] > ENOUGH_STEPS]
        # From the most modules deleted to none: modules are added, as members are.
        joined = over_seeds([_estimate(draws[:, ::-1], "draws") for draws in drawn])
        if joined is not None:
            note = _beside(tables, network, np.mean([d.mean(axis=0) for d in drawn], axis=0))
            measurements.append(Measurement(network, joined, note))
    return measurements


_DECLARED = (
    "declared before as one claim that nothing measured, as the gain of the first member added "
    "minus that of the last; then made two, each by the halves of its steps. After that, "
    f"{BOTH_SIDES}"
)

CLAIMS = (
    Claim(
        id="22a",
        statement="The more members an ensemble has, the smaller the gain from one more: small "
        "networks that vote.",
        source="Section 2",
        figure="fig13",
        unit="points",
        paper_value=None,
        measure="Fall of the error per member added, mean over the first half of the steps from "
        "one member to all minus mean over the second half, errors being means over all "
        "sub-ensembles of a size, as fractions, interval by bootstrap over test images",
        target=above(0),
        find=_sub_ensembles,
        settle="An ensemble of three members or more, and more test images.",
        revised=_DECLARED,
    ),
    Claim(
        id="22b",
        statement="A residual network behaves likewise: the more modules it has, the smaller the "
        "gain from one more.",
        source="Sections 2 and 4.2; number: the authors' data",
        figure="fig13",
        unit="points",
        paper_value=0.0178,
        measure="Fall of the mean error per module given back, from the most modules deleted to "
        "none: mean over the first half of the steps minus mean over the second half, any module, "
        "as fractions, interval by bootstrap over draws",
        target=above(0),
        find=_modules,
        settle="Random deletions of 1 to 20 modules, with some twenty draws each.",
        revised=_DECLARED,
    ),
)
