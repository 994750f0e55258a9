"""Finished pieces of gradients on disk, found again after an interruption."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from residual_ensembles.backend.threads import task_threads
from residual_ensembles.gradients.cut import Network
from residual_ensembles.gradients.study import GradientStudy, nothing_found
from residual_ensembles.pieces import Pieces
from residual_ensembles.storage import checkpoints
from residual_ensembles.storage.fingerprint import digest

ENTRIES = (
    "residual_ensembles.data.prepared",
    "residual_ensembles.gradients.pieces",
    "residual_ensembles.registration",
)
"""What reads pictures and takes gradients, and every class that a network may consist of."""

Found = list[tuple[list[bool], dict[str, list]]]
"""What a piece found: for each of its networks whether each module has a skip, and the rest."""


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


def kept_pieces(networks: Sequence[Network], data_checksum: str, study: GradientStudy) -> Pieces:
    """Returns the pieces of a network, which are kept until the tables are written.

    Args:
        networks: The network at each epoch.
        data_checksum: Of the prepared data.
        study: What is measured.
    """
    name = fingerprint(networks, data_checksum, study)
    return Pieces(checkpoints.folder() / "gradients" / name)


def to_arrays(found: Found) -> dict[str, np.ndarray]:
    """Returns what a piece found as arrays by name.

    The name says the place of the network, what it is, the place of the batch, and the column where
    there are several.
    """
    arrays = {}
    for place, (skips, lists) in enumerate(found):
        arrays[f"{place}-skips"] = np.asarray(skips, bool)
        for name, batches in lists.items():
            for i, batch in enumerate(batches):
                if isinstance(batch, tuple):
                    arrays |= {f"{place}-{name}-{i}-{j}": x for j, x in enumerate(batch)}
                else:
                    arrays[f"{place}-{name}-{i}"] = np.asarray(batch)
    return arrays


def from_arrays(arrays: dict[str, np.ndarray]) -> Found:
    """Returns what a piece found, from what `to_arrays` made of it."""
    found: Found = []
    for key, array in arrays.items():  # in the order in which they were written
        _, name, *place = key.split("-")
        if name == "skips":
            found.append((array.tolist(), nothing_found()))
            continue
        batches = found[-1][1][name]
        if len(place) == 1:
            batches.append(array[()])
        elif place[1] == "0":
            batches.append((array,))
        else:
            batches[-1] = (*batches[-1], array)
    return found
