from .intervals import Estimate, bootstrap, student, wilson
from .paired import (
    difference_interval,
    discordant,
    equivalence_over_images,
    equivalence_over_seeds,
    holm,
    mcnemar,
)
from .rank_correlation import kendall_tau, spearman

__all__ = [
    "Estimate",
    "bootstrap",
    "difference_interval",
    "discordant",
    "equivalence_over_images",
    "equivalence_over_seeds",
    "holm",
    "kendall_tau",
    "mcnemar",
    "spearman",
    "student",
    "wilson",
]
