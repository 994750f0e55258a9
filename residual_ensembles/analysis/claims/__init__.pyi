from .claim import VERDICTS, Claim, Measurement
from .table import CLAIMS, claims_table

__all__ = [
    "CLAIMS",
    "VERDICTS",
    "Claim",
    "Measurement",
    "claims_table",
]
