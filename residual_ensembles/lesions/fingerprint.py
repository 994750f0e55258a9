"""What makes two predictions the same prediction, and where those that were made are kept."""

import contextlib
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from residual_ensembles import checkpoints
from residual_ensembles.fingerprint import digest
from residual_ensembles.result_cache import ResultCache

CODE = (
    "analysis/finite.py",
    "analysis/intervals.py",
    "analysis/rank.py",
    "backend",
    "data",
    "lesions",
    "models",
    "multiply_adds.py",
    "randomness.py",
    "result_cache.py",
    "unraveling",
)
"""Whose code decides what comes out."""


MOST_BYTES = 4 * 2**30
"""What results of one kind may take, of all networks that were ever taken apart; a thousand
lesions of ten thousand pictures take some ten megabytes."""


def network_cache(
    kind: str, network: Path, data_checksum: str, more_code: Sequence[str] = (), **facts: object
) -> ResultCache:
    """Returns where results of a network are kept, for later runs of the same code too.

    Those of other networks that have not been looked at for longest are removed where all together
    would take more than `MOST_BYTES`.

    Args:
        kind: Of the results: the name of the folder for all networks.
        network: File of the trained network.
        data_checksum: Of the prepared data.
        more_code: Rooms and files of the package that decide about them, beside those that decide
            about lesions.
        **facts: What else decides about all of them, as plain values.
    """
    content = hashlib.sha256(network.read_bytes()).hexdigest()
    code = (*CODE, *more_code)
    name = digest(code, network=content, data=data_checksum, facts=facts)
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
