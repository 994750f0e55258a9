from .claims.table import CLAIMS, claims_table
from .deletion_costs import additive_prediction, predicted_and_real, single_costs
from .tables import UNKNOWN, Tables, read_tables

__all__ = [
    "CLAIMS",
    "UNKNOWN",
    "Tables",
    "additive_prediction",
    "claims_table",
    "predicted_and_real",
    "read_tables",
    "single_costs",
]
