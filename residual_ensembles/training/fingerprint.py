"""What makes two runs the same run."""

import hashlib
import json

import keras
import numpy as np

from residual_ensembles import backend
from residual_ensembles.backend import process
from residual_ensembles.storage.code import code_checksum

# The rooms whose code decides what weights come out; a test holds this list against the imports.
CODE = ("backend", "data", "models", "training", "randomness.py")


def fingerprint(settings: dict, data_checksum: str) -> str:
    """Returns the name of a run: 16 hexadecimal digits of everything that determines its result.

    Args:
        settings: All settings, as plain values.
        data_checksum: Of the prepared data.
    """
    everything = {
        "settings": settings,
        "data": data_checksum,
        "code": code_checksum(*CODE),
        "versions": {"keras": keras.__version__, "numpy": np.__version__, **backend.VERSIONS},
        "rounding": process.rounding(),
    }
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:16]
