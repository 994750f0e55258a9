"""Statistics of a study's tables, and the paper's claims decided by them."""

from residual_ensembles.analysis.additive import additive_prediction
from residual_ensembles.analysis.bootstrap import bootstrap
from residual_ensembles.analysis.claims import CLAIMS, claims_table
from residual_ensembles.analysis.costs import predicted_and_real, single_costs
from residual_ensembles.analysis.effective_range import effective_range
from residual_ensembles.analysis.equivalence import (
    equivalence_over_pictures,
    equivalence_over_seeds,
)
from residual_ensembles.analysis.estimate import Estimate
from residual_ensembles.analysis.holm import holm
from residual_ensembles.analysis.log_linear import LogLinearFit, log_linear
from residual_ensembles.analysis.paired import difference_interval, discordant, mcnemar
from residual_ensembles.analysis.rank import kendall_tau, spearman
from residual_ensembles.analysis.student import student
from residual_ensembles.analysis.tables import Tables, read_tables
from residual_ensembles.analysis.wilson import wilson

__all__ = [
    "CLAIMS",
    "Estimate",
    "LogLinearFit",
    "Tables",
    "additive_prediction",
    "bootstrap",
    "claims_table",
    "difference_interval",
    "discordant",
    "effective_range",
    "equivalence_over_pictures",
    "equivalence_over_seeds",
    "holm",
    "kendall_tau",
    "log_linear",
    "mcnemar",
    "predicted_and_real",
    "read_tables",
    "single_costs",
    "spearman",
    "student",
    "wilson",
]
