"""What makes two sweeps the same sweep, and where its finished pieces are."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from residual_ensembles.backend.threads import task_threads
from residual_ensembles.lesions.plans import PlannedLesion
from residual_ensembles.pieces import Pieces
from residual_ensembles.storage import checkpoints
from residual_ensembles.storage.fingerprint import digest

ENTRIES = (
    "residual_ensembles.data.prepared",
    "residual_ensembles.lesions.engine",
    "residual_ensembles.registration",
)
"""What reads pictures and evaluates lesions, and every class that a network may consist of."""


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
    return digest(
        ENTRIES,
        task_threads(),
        network=hashlib.sha256(network.read_bytes()).hexdigest(),
        data=data_checksum,
        plan=[str(row.lesion) for row in plan],
        settings=settings,
    )


def kept_pieces(*sweep) -> Pieces:
    """Returns the pieces of a sweep, which are kept until its tables are written.

    Args:
        *sweep: As for `fingerprint`.
    """
    return Pieces(checkpoints.folder() / "lesions" / fingerprint(*sweep))
