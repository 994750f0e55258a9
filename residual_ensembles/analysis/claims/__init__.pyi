from .claim import (
    INCONCLUSIVE,
    NOT_REPRODUCED,
    NOT_TESTED,
    REPRODUCED,
    VERDICTS,
    Claim,
    Measurement,
)
from .table import CLAIMS, claims_table

__all__ = [
    "CLAIMS",
    "INCONCLUSIVE",
    "NOT_REPRODUCED",
    "NOT_TESTED",
    "REPRODUCED",
    "VERDICTS",
    "Claim",
    "Measurement",
    "claims_table",
]
