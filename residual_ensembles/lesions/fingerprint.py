"""What makes two predictions the same prediction, and where those that were made are kept."""

import contextlib
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from residual_ensembles.backend.threads import task_threads
from residual_ensembles.runtime.result_cache import ResultCache
from residual_ensembles.storage import checkpoints
from residual_ensembles.storage.fingerprint import digest

ENTRIES = (
    "residual_ensembles.data.prepared",
    "residual_ensembles.lesions.engine",
    "residual_ensembles.registration",
)
"""What reads pictures and evaluates lesions, and every class that a network may consist of."""

MOST_BYTES = 4 * 2**30
"""What results of one kind may take, of all networks that were ever taken apart; a thousand
lesions of ten thousand pictures take some ten megabytes."""


def network_cache(
    kind: str,
    network: Path,
    data_checksum: str,
    entries: Sequence[str] = ENTRIES,
    **facts: object,
) -> ResultCache:
    """Returns where results of a network are kept, for later runs of the same code too.

    Those of other networks that have not been looked at for longest are removed where all together
    would take more than `MOST_BYTES`.

    Args:
        kind: Of the results: the name of the folder for all networks.
        network: File of the trained network.
        data_checksum: Of the prepared data.
        entries: Modules that compute them; for predictions, those of lesions.
        **facts: What else decides about all of them, as plain values.
    """
    content = hashlib.sha256(network.read_bytes()).hexdigest()
    name = digest(entries, task_threads(), network=content, data=data_checksum, facts=facts)
    folder = checkpoints.folder() / kind
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name).touch()
    forget_oldest(folder, MOST_BYTES)
    return ResultCache(folder / name)


def forget_oldest(folder: Path, most_bytes: int) -> None:
    """Removes the folders in a folder that were touched first, until the others are small enough.

    Args:
        folder: With one folder for each network; the one that was touched last stays.
        most_bytes: What all of them may take.
    """
    total = 0
    for i, each in enumerate(sorted(folder.iterdir(), key=_touched, reverse=True)):
        total += sum(_size(file) for file in each.rglob("*") if file.is_file())
        if i and total > most_bytes:
            shutil.rmtree(each, ignore_errors=True)


def _touched(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):  # another process has removed it
        return path.stat().st_mtime_ns
    return 0


def _size(file: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return file.stat().st_size
    return 0
