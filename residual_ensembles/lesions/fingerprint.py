"""What makes two sweeps the same sweep, and where its finished pieces are."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import keras

from residual_ensembles import backend, checkpoints, executor
from residual_ensembles.code import code_checksum
from residual_ensembles.lesions.pieces import Pieces
from residual_ensembles.lesions.plans import PlannedLesion

CODE = (
    "analysis/paired.py",
    "analysis/rank.py",
    "backend",
    "data",
    "lesions",
    "models",
    "randomness.py",
    "unraveling",
)
"""Whose code decides what comes out."""


def fingerprint(
    network: Path, data_checksum: str, plan: Sequence[PlannedLesion], settings: dict
) -> str:
    """Returns 16 hexadecimal digits of everything that determines the results of a sweep.

    Args:
        network: File of the trained network.
        data_checksum: Of the prepared data.
        plan: What is evaluated.
        settings: How it is evaluated, as plain values.
    """
    everything = {
        "network": hashlib.sha256(network.read_bytes()).hexdigest(),
        "data": data_checksum,
        "plan": [str(row.lesion) for row in plan],
        "settings": settings,
        "code": code_checksum(*CODE),
        "threads": executor.task_threads(),
        "versions": {"keras": keras.__version__, **backend.VERSIONS},
    }
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:16]


def kept_pieces(*sweep) -> Pieces:
    """Returns the pieces of a sweep, which are kept until its tables are written.

    Args:
        *sweep: As for `fingerprint`.
    """
    return Pieces(checkpoints.folder() / "lesions" / fingerprint(*sweep))
