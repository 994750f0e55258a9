"""A claim of the paper: its statement, how it is measured, and the rule that decides.

Most rules were written before the first study was run, and some were sharpened after it; these say
so themselves (`Claim.revised`). A rule is applied to the interval, where there is one, and not to
the number: only an interval that lies entirely within the target reproduces a claim.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from residual_ensembles.analysis.tables import Tables
from residual_ensembles.statistics.intervals import Estimate

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
INCONCLUSIVE = "inconclusive"
NOT_TESTED = "not tested"
VERDICTS = (REPRODUCED, NOT_REPRODUCED, INCONCLUSIVE, NOT_TESTED)


@dataclass(frozen=True)
class Target:
    """The range in which a measured number reproduces a claim, both ends included."""

    low: float
    high: float
    where: str

    @property
    def rule(self) -> str:
        """The rule as text."""
        return (
            f"Reproduced if the interval lies {self.where}, not reproduced if it lies wholly "
            "outside, inconclusive otherwise"
        )

    def verdict(self, estimate: Estimate) -> str:
        """Compares the interval with the target."""
        if math.isnan(estimate.low) or math.isnan(estimate.high):
            return INCONCLUSIVE
        if self.low <= estimate.low and estimate.high <= self.high:
            return REPRODUCED
        if estimate.high < self.low or estimate.low > self.high:
            return NOT_REPRODUCED
        return INCONCLUSIVE


@dataclass(frozen=True)
class NoSignificantDifference:
    """Target of an interval that contains 0 and lies within a margin of it.

    Without the margin, the noisier a study is, the more surely it would find no difference.

    Attributes:
        margin: Largest distance of the ends of the interval from 0.
    """

    margin: float

    @property
    def rule(self) -> str:
        """The rule as text."""
        return (
            f"Reproduced if the interval contains 0 and lies between {-self.margin:g} and "
            f"{self.margin:g}, not reproduced if it does not contain 0, inconclusive otherwise"
        )

    def verdict(self, estimate: Estimate) -> str:
        """Returns whether the interval contains 0 and is narrow."""
        if math.isnan(estimate.low) or math.isnan(estimate.high):
            return INCONCLUSIVE
        if not estimate.low <= 0 <= estimate.high:
            return NOT_REPRODUCED
        narrow = -self.margin <= estimate.low and estimate.high <= self.margin
        return REPRODUCED if narrow else INCONCLUSIVE


def at_most(value: float) -> Target:
    """The target of numbers up to `value`."""
    return Target(-math.inf, value, f"at or below {value:g}")


def at_least(value: float) -> Target:
    """The target of numbers from `value` on."""
    return Target(value, math.inf, f"at or above {value:g}")


def above(value: float) -> Target:
    """The target of numbers strictly larger than `value`."""
    return Target(float(np.nextafter(value, math.inf)), math.inf, f"above {value:g}")


def below(value: float) -> Target:
    """The target of numbers strictly smaller than `value`."""
    return Target(-math.inf, float(np.nextafter(value, -math.inf)), f"below {value:g}")


def between(low: float, high: float) -> Target:
    """The target of numbers from `low` to `high`."""
    return Target(low, high, f"between {low:g} and {high:g}")


@dataclass(frozen=True)
class Measurement:
    """The measurement of one network that a claim is decided by.

    Attributes:
        network: Name of the network, or of the two that are compared.
        estimate: The number and its interval.
        note: Text that follows the number.
        paper_value: The authors' number of a network as deep as this one, where it is not the
            claim's own; None for that.
    """

    network: str
    estimate: Estimate
    note: str = ""
    paper_value: float | None = None


def _basis(estimate: Estimate) -> str:
    """Returns a note on what the interval of a number is over."""
    if estimate.over == "exact":
        return "Exact."
    if estimate.over == "point":
        return f"A number on {estimate.n} images, without an interval."
    if estimate.over == "seeds":
        return f"Interval over {estimate.n} seeds."
    return f"Interval over {estimate.n} {estimate.over}, conditional on the networks at hand."


Finder = Callable[[Tables], Iterable[Measurement]]
"""Reads a claim's measurements off the tables, one per network; none where data are missing."""


@dataclass(frozen=True)
class Claim:
    """One claim, declared before it is tested.

    Attributes:
        id: Number in the list of claims, with a letter where one claim has several sides.
        statement: What the paper says, reworded.
        source: Section and figure of the paper, and the authors' data where a number is theirs.
        figure: The figure of ours that shows it, such as "fig3"; empty where none does.
        paper_value: The paper's or its authors' number in the units of the measurement, if any.
        measure: What is measured, from which tables.
        target: Where the interval has to lie.
        find: Returns the measurements that decide it.
        settle: What a study needs to decide the claim.
        unit: Display unit: "%" or "points" (of error) for fractions; empty for other numbers.
        of_training: Whether it is about a way of training, so that one seed cannot decide it.
        counted: Whether it follows from counting paths, so that no network can change it.
        revised: What of the rule was changed after the first study, and why; empty for a rule that
            is as it was written before. The first study is the one on digits that the README first
            had numbers of (2026-11-25, 1:52 UTC).
    """

    id: str
    statement: str
    source: str
    measure: str
    target: Target | NoSignificantDifference
    find: Finder
    figure: str = ""
    paper_value: float | None = None
    settle: str = "Nothing: it is exact."
    unit: str = ""
    of_training: bool = False
    counted: bool = False
    revised: str = ""

    @property
    def rule(self) -> str:
        """The rule as text, made from the target that decides."""
        one_seed = "; inconclusive with one seed." if self.of_training else "."
        return f"{self.measure}. {self.target.rule}{one_seed}"

    def verdict(self, estimate: Estimate) -> str:
        """Applies the rule to one measurement."""
        if self.of_training and estimate.over != "seeds":
            return INCONCLUSIVE
        return self.target.verdict(estimate)

    def row(self, measurement: Measurement | None) -> tuple:
        """Returns the row of claims.csv about one measurement, None where there is none."""
        network, verdict, paper = "", NOT_TESTED, self.paper_value
        numbers: tuple[float | None, ...] = (None,) * 4
        notes = [f"To settle it: {self.settle}"]
        if measurement is not None:
            network, estimate = measurement.network, measurement.estimate
            if measurement.paper_value is not None:
                paper = measurement.paper_value
            ends = (None if math.isnan(end) else end for end in (estimate.low, estimate.high))
            numbers = (estimate.value, *ends, estimate.n)
            verdict = self.verdict(estimate)
            notes = [measurement.note, _basis(estimate)]
            if self.of_training and estimate.over != "seeds":
                notes.append("One seed does not speak for a way of training.")
            if verdict == INCONCLUSIVE:
                notes.append(f"To settle it: {self.settle}")
        if self.revised:
            notes.append(f"Rule changed after the first study: {self.revised}")
        note = " ".join(filter(None, notes))
        says = self.id, self.statement, self.source
        return (*says, network, paper, *numbers, self.rule, verdict, note)
