"""Claims 4 to 6: more and more modules less (Section 4.2, Fig. 5 (a))."""

from collections.abc import Callable

import numpy as np

from residual_ensembles.analysis.claims.claim import (
    BOTH_SIDES,
    Claim,
    Measurement,
    at_least,
    at_most,
    between,
)
from residual_ensembles.analysis.claims.path_lengths import N
from residual_ensembles.analysis.curves import curves, monotony, steepest
from residual_ensembles.analysis.tables import Tables
from residual_ensembles.statistics.intervals import Estimate, bootstrap, over_draws, over_seeds
from residual_ensembles.statistics.rank_correlation import spearman

ANY = "random_deletion"
SPARING = "random_deletion_sparing"
ENOUGH_STEPS = 10
"""A curve of fewer numbers of modules says nothing about smoothness."""


def on_curves(
    sweep: str,
    needs: int,
    estimate: Callable[[np.ndarray], Estimate],
    note: str = "",
    n_modules: int | None = None,
) -> Callable[[Tables], list[Measurement]]:
    """Returns a finder that applies `estimate` to the curves of every plain residual network.

    Args:
        sweep: Which random lesions.
        needs: The largest number of operations the curves must reach.
        estimate: Takes curves `(draws, k + 1)`.
        note: What to say beside the number.
        n_modules: Number of modules of the networks that the claim speaks of; by default any.
    """

    def find(tables: Tables) -> list[Measurement]:
        measurements = []
        for network in tables.plain:
            if n_modules not in (None, tables.n_modules(network)):
                continue
            drawn = [curves(tables, network, run.seed, sweep) for run in tables.of(network)]
            joined = over_seeds([estimate(c) for c in drawn if c.shape[1] > needs])
            if joined is not None:
                measurements.append(Measurement(network, joined, note))
        return measurements

    return find


def with_paths(draws: np.ndarray) -> Estimate:
    """Returns Spearman's correlation of error and number of valid paths over all lesions.

    Of n modules k are deleted and 2^(n-k) paths left; ranks need only the exponent.
    """

    def correlation(rows: np.ndarray) -> float:
        exponents = -np.broadcast_to(np.arange(1, rows.shape[1]), rows[:, 1:].shape)
        return spearman(exponents.ravel(), rows[:, 1:].ravel())

    return Estimate(
        correlation(draws), *bootstrap(correlation, draws, limits=(-1, 1)), len(draws), "draws"
    )


def _error_at(k: int) -> Callable[[np.ndarray], Estimate]:
    return lambda draws: over_draws(draws[:, k])


def _rise_to(k: int) -> Callable[[np.ndarray], Estimate]:
    return lambda draws: over_draws(draws[:, k] - draws[:, 0])


_OF_54 = (
    "it is decided for networks of 54 modules only, of which the claim speaks, and no longer for "
    "any; the target is as it was."
)

CLAIMS = (
    Claim(
        id="4a",
        statement="The more modules are deleted, the higher the error: it never turns back.",
        source="Section 4.2, Fig. 5 (a); number: the authors' data",
        figure="fig5",
        paper_value=0.9961,
        measure="Spearman's correlation of the mean error with the number of deleted modules, any "
        "module, interval by bootstrap over draws",
        target=at_least(0.95),
        find=on_curves(ANY, ENOUGH_STEPS, monotony),
        settle="Random deletions of 1 to 10 modules or more, with some twenty draws each.",
        revised=BOTH_SIDES,
    ),
    Claim(
        id="4b",
        statement="Error grows smoothly with the number of deleted modules: there is no cliff.",
        source="Section 4.2, Fig. 5 (a); number: the authors' data",
        figure="fig5",
        unit="%",
        paper_value=0.1614,
        measure="Largest step of the mean error from one number of deleted modules to the next, as "
        "a share of the whole rise, any module, interval by bootstrap over draws",
        target=at_most(1 / 3),
        find=on_curves(ANY, ENOUGH_STEPS, steepest),
        settle="Random deletions of 1 to 20 modules, with some twenty draws each.",
        revised=BOTH_SIDES,
    ),
    Claim(
        id="4c",
        statement="Performance follows the number of valid paths.",
        source="Section 4.2, Fig. 5 (a); number: the authors' data",
        figure="fig5",
        paper_value=-0.8139,
        measure="Spearman's correlation of error and number of valid paths over all random "
        "deletions, any module, interval by bootstrap over draws",
        target=at_most(-0.7),
        find=on_curves(ANY, ENOUGH_STEPS, with_paths),
        settle="Random deletions of 1 to 10 modules or more, with some twenty draws each.",
        revised=BOTH_SIDES,
    ),
    Claim(
        id="5a",
        statement="With 10 of 54 modules deleted, the first and the downsampling ones spared, "
        "error is about 0.2.",
        source="Section 4.2, Fig. 5 (a); that some are spared: the authors' data",
        figure="fig5",
        unit="%",
        paper_value=0.2,
        measure="Mean error with 10 of 54 modules deleted, sparing the first and the downsampling "
        "ones, Student's interval over draws",
        target=between(0.15, 0.25),
        find=on_curves(
            SPARING, 10, _error_at(10), "The authors' own data: 0.205 on CIFAR-10.", n_modules=N
        ),
        settle="Random deletions of 10 modules, sparing the critical ones, on CIFAR-10.",
        revised=_OF_54,
    ),
    Claim(
        id="5b",
        statement="With any 10 of 54 modules deleted, error is about 0.2.",
        source="Section 4.2, Fig. 5 (a), as its text reads",
        figure="fig5",
        unit="%",
        paper_value=0.2,
        measure="Mean error with any 10 of 54 modules deleted, Student's interval over draws",
        target=between(0.15, 0.25),
        find=on_curves(
            ANY,
            10,
            _error_at(10),
            "The authors' own data: 0.304 on CIFAR-10; the paper's 0.2 spares three modules.",
            n_modules=N,
        ),
        settle="Random deletions of any 10 modules, on CIFAR-10.",
        revised=_OF_54,
    ),
    Claim(
        id="6a",
        statement="Up to 10 deleted modules, performance drops only slightly.",
        source="Section 4.3; number: the authors' data",
        figure="fig5",
        unit="points",
        paper_value=0.1447,
        measure="Mean error with 10 of 54 modules deleted minus intact error, sparing the first "
        "and the downsampling ones, Student's interval over draws",
        target=at_most(0.15),
        find=on_curves(SPARING, 10, _rise_to(10), n_modules=N),
        settle="Random deletions of up to 10 modules, sparing the critical ones.",
        revised=_OF_54,
    ),
    Claim(
        id="6b",
        statement="With 20 deleted modules, there is a severe drop.",
        source="Section 4.3; number: the authors' data",
        figure="fig5",
        unit="points",
        paper_value=0.5293,
        measure="Mean error with 20 of 54 modules deleted minus intact error, sparing the first "
        "and the downsampling ones, Student's interval over draws",
        target=at_least(0.4),
        find=on_curves(SPARING, 20, _rise_to(20), n_modules=N),
        settle="Random deletions of up to 20 modules, sparing the critical ones.",
        revised=_OF_54,
    ),
)
