"""The answers to the paper's main questions, and metrics for `dvc metrics show`."""

from typing import NamedTuple

import pandas as pd

from residual_ensembles.analysis import CLAIMS, Tables
from residual_ensembles.analysis.claims import VERDICTS
from residual_ensembles.report.numbers import interval, quantity

_OF_SHORT = "lengths 5 to 17"
QUESTIONS = (
    ("Can a module of a residual network be deleted?", "1", "median cost"),
    ("Is a VGG at chance without any one layer?", "3", "mildest layer, against chance"),
    ("Does error grow smoothly with every module less?", "4b", "largest step of the rise"),
    ("Does nearly all gradient come from short paths (the paper's reading)?", "13a", _OF_SHORT),
    ("Does it, in norms of sums?", "13b", _OF_SHORT),
    ("Does it, in projections on the full gradient?", "13c", _OF_SHORT),
    ("Are short paths enough to train on?", "15a", "difference in error"),
)
"""The paper in a few questions, the claims that answer each, and what their numbers are."""

ROUNDED = 4
"""Decimals of metrics; more than any study's images resolve."""
COUNTED = frozenset(claim.id for claim in CLAIMS if claim.counted)
"""The claims that no network can change."""
CLAIMS_BY_ID = {claim.id: claim for claim in CLAIMS}


class Answer(NamedTuple):
    """One question with its verdict and the number behind it."""

    question: str
    id: str
    verdict: str
    number: str
    measured: str


def measured(row) -> str:
    """Returns number and interval of a row of claims.csv, in the claim's unit."""
    unit = CLAIMS_BY_ID[row.id].unit
    ends = interval(row.low, row.high, unit)
    return quantity(row.measured, unit) + (f" ({ends})" if ends else "")


def answers(claims: pd.DataFrame) -> list[Answer]:
    """Answers the questions from claims.csv, a row for each network that says something."""
    return [
        Answer(question, id, row.verdict, number, measured(row))
        for question, id, number in QUESTIONS
        for row in claims[claims.id == id].itertuples()
    ]


def tally(claims: pd.DataFrame, *, counted: bool = False) -> dict[str, int]:
    """Returns the number of rows by verdict: of claims that a study can change, or of `COUNTED`."""
    rows = claims[claims.id.isin(COUNTED) == counted]
    return {verdict: int((rows.verdict == verdict).sum()) for verdict in VERDICTS}


def how_sure(tables: Tables) -> str:
    """Returns a sentence on what the intervals are over."""
    seeds = {len(tables.of(network)) for network in tables.networks}
    if not seeds:
        return "No network was studied; what follows is counted exactly or from the authors' data."
    if min(seeds) == 1:
        return (
            "With one seed, intervals are conditional on the networks at hand, and nothing that "
            "speaks of a way of training counts as reproduced."
        )
    return f"Intervals are over {min(seeds)} seeds or more wherever a way of training is judged."


def metrics(tables: Tables, claims: pd.DataFrame) -> dict[str, float | int]:
    """Returns flat metrics, errors in percent, means over seeds and draws."""
    result: dict[str, float | int] = {}
    for network in tables.networks:
        intact = tables.sweep(network, "intact").error_fraction
        single = tables.sweep(network, "single_deletion").error_fraction
        result[f"{network}_intact_error_percent"] = 100 * intact.mean()
        result[f"{network}_median_single_deletion_error_percent"] = 100 * single.median()
        for k in (10, 20):
            for sweep, name in (
                ("random_deletion", "any"),
                ("random_deletion_sparing", "noncritical"),
            ):
                rows = tables.sweep(network, sweep)
                errors = rows.error_fraction[rows.n_operations == k]
                result[f"{network}_{k}_deleted_{name}_error_percent"] = 100 * errors.mean()
    result = {
        name: round(float(value), ROUNDED) for name, value in result.items() if value == value
    }
    for verdict, count in tally(claims).items():
        result[f"claims_{verdict.replace(' ', '_')}"] = count
    return result
