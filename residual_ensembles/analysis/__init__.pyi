from .additive import additive_prediction
from .claims import CLAIMS, claims_table
from .costs import predicted_and_real, single_costs
from .estimate import Estimate
from .intervals import bootstrap, student, wilson
from .length_profile import LogLinearFit, effective_range, log_linear
from .paired import difference_interval, discordant, mcnemar
from .rank import kendall_tau, spearman
from .significance import equivalence_over_pictures, equivalence_over_seeds, holm
from .tables import Tables, read_tables

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
