"""Files that are either whole or not there.

Everything the project writes goes through here: to a temporary name in the same folder, flushed
to the disk, then renamed over the old file. A full disk or a killed process leaves what was there
before.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary path that becomes `path` if the block ends without an error.

    Args:
        path: The file to write. Missing parent folders are made.

    Yields:
        A path in the same folder and with the same suffix, for the block to write.

    Raises:
        OSError: The folder cannot be made or written, or the disk is full; `path` is as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".partial-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # mkstemp's 0600 would hide results from a group's other members
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes `text` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Writes `content` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: str | os.PathLike, value: object) -> None:
    """Writes `value` to `path` as JSON a person can read."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_csv(path: str | os.PathLike, frame: "pd.DataFrame") -> None:
    """Writes `frame` to `path` without its index; floats keep every digit."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def read_npz(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Returns the arrays of the file `path`, read whole.

    Raises:
        ValueError: There is no such file, or it is damaged.
    """
    try:
        with Path(path).open("rb") as file, np.load(file) as stored:
            return dict(stored)
    except Exception as error:  # damage makes zipfile, zlib and NumPy raise whatever they meet
        raise ValueError(f"{path} cannot be read ({type(error).__name__}: {error})") from error


def write_npz(path: str | os.PathLike, **arrays: np.ndarray) -> None:
    """Writes `arrays` to the compressed file `path`, whose name ends in .npz."""
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)
