"""What makes two gradients the same gradients, and where those of finished pieces are kept."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict

from residual_ensembles.backend.threads import task_threads
from residual_ensembles.gradients.cut import Network
from residual_ensembles.gradients.study import GradientStudy
from residual_ensembles.runtime.result_cache import ResultCache
from residual_ensembles.storage import checkpoints
from residual_ensembles.storage.fingerprint import digest

ENTRIES = (
    "residual_ensembles.data.prepared",
    "residual_ensembles.gradients.pieces",
    "residual_ensembles.registration",
)
"""What reads pictures and takes gradients, and every class that a network may consist of."""


def fingerprint(networks: Sequence[Network], data_checksum: str, study: GradientStudy) -> str:
    """Returns 16 hexadecimal digits of everything that determines the gradients of a network.

    Args:
        networks: The network at each epoch.
        data_checksum: Of the prepared data.
        study: What is measured.
    """
    files = [
        [hashlib.sha256(each.file.read_bytes()).hexdigest(), each.batch_norm, each.estimators]
        for each in networks
    ]
    return digest(ENTRIES, task_threads(), networks=files, data=data_checksum, study=asdict(study))


def gradient_cache(
    networks: Sequence[Network], data_checksum: str, study: GradientStudy
) -> ResultCache:
    """Returns where the pieces of a network are kept until the tables are written.

    Args:
        networks: The network at each epoch.
        data_checksum: Of the prepared data.
        study: What is measured.
    """
    name = fingerprint(networks, data_checksum, study)
    return ResultCache(checkpoints.folder() / "gradients" / name)
