"""claims.csv: every claim, what was measured, and the verdict."""

import math

import pandas as pd

from residual_ensembles.analysis.claims import (
    effective_paths,
    ensemble,
    highway,
    imagenet,
    path_gradients,
    path_lengths,
    random_deletion,
    reordering,
    single_deletion,
    stochastic_depth,
)
from residual_ensembles.analysis.claims.claim import (
    INCONCLUSIVE,
    NOT_TESTED,
    Claim,
    Measurement,
)
from residual_ensembles.analysis.tables import Tables

COLUMNS = [
    "id",
    "claim",
    "source",
    "network",
    "paper_value",
    "measured",
    "low",
    "high",
    "n",
    "rule",
    "verdict",
    "note",
]


def _number(id: str) -> tuple[int, str]:
    digits = "".join(c for c in id if c.isdigit())
    return int(digits), id


CLAIMS: tuple[Claim, ...] = tuple(
    sorted(
        (
            *single_deletion.CLAIMS,
            *random_deletion.CLAIMS,
            *reordering.CLAIMS,
            *path_lengths.CLAIMS,
            *path_gradients.CLAIMS,
            *effective_paths.CLAIMS,
            *stochastic_depth.CLAIMS,
            *highway.CLAIMS,
            *imagenet.CLAIMS,
            *ensemble.CLAIMS,
        ),
        key=lambda claim: _number(claim.id),
    )
)
"""Every claim, in the order of the list."""


def _basis(claim: Claim, measurement: Measurement, verdict: str) -> str:
    """Says what a number rests on, and what would settle an open claim."""
    estimate = measurement.estimate
    parts = [measurement.note]
    if estimate.over == "exact":
        parts.append("Exact.")
    elif estimate.over == "point":
        parts.append(f"A number on {estimate.n} images, without an interval.")
    elif estimate.over == "seeds":
        parts.append(f"Interval over {estimate.n} seeds.")
    else:
        parts.append(
            f"Interval over {estimate.n} {estimate.over}, conditional on the networks at hand."
        )
    if claim.of_training and estimate.over != "seeds":
        parts.append("One seed does not speak for a way of training.")
    if verdict == INCONCLUSIVE:
        parts.append(f"To settle it: {claim.settle}")
    return " ".join(part for part in (*parts, _revised(claim)) if part)


def _revised(claim: Claim) -> str:
    return f"Rule changed after the first study: {claim.revised}" if claim.revised else ""


def _row(claim: Claim, measurement: Measurement | None) -> dict[str, object]:
    row = {
        "id": claim.id,
        "claim": claim.statement,
        "source": claim.source,
        "network": "",
        "paper_value": claim.paper_value,
        "measured": None,
        "low": None,
        "high": None,
        "n": None,
        "rule": claim.rule,
        "verdict": NOT_TESTED,
        "note": f"To settle it: {claim.settle} {_revised(claim)}".rstrip(),
    }
    if measurement is None:
        return row
    estimate = measurement.estimate
    verdict = claim.verdict(estimate)
    return row | {
        "network": measurement.network,
        "measured": estimate.value,
        "low": None if math.isnan(estimate.low) else estimate.low,
        "high": None if math.isnan(estimate.high) else estimate.high,
        "n": estimate.n,
        "verdict": verdict,
        "note": _basis(claim, measurement, verdict),
    }


def claims_table(tables: Tables) -> pd.DataFrame:
    """Decides every claim by its rule, on the tables of one study.

    Args:
        tables: The study. What its tables do not say is `not tested`.

    Returns:
        One row per claim and network: id, claim, source (section or figure), network, paper_value,
        measured, low, high (in the units the rule names), n, rule, verdict, note.
    """
    rows = [
        _row(claim, measurement) for claim in CLAIMS for measurement in claim.find(tables) or [None]
    ]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"n": "Int64"})
