"""The paper's claims, each with the rule that decides it."""

from residual_ensembles.analysis.claims.claim import VERDICTS, Claim, Measurement
from residual_ensembles.analysis.claims.table import CLAIMS, claims_table

__all__ = ["CLAIMS", "VERDICTS", "Claim", "Measurement", "claims_table"]
