"""Atomic replacement of a folder: it is complete or not there."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from residual_ensembles.storage.files import naming_full_disk
from residual_ensembles.storage.temporary import is_abandoned, locked


@contextlib.contextmanager
def atomic_folder(folder: Path, marker: str) -> Iterator[Path]:
    """Yields a temporary folder that replaces `folder` if the block ends without an error.

    It is empty and beside `folder`, whose old content stays until the new is complete. Temporary
    folders of killed processes there are removed first.

    Args:
        folder: Folder to write.
        marker: Name of a file that every folder of this kind has. A folder with other files is
            never replaced.

    Raises:
        ValueError: `folder` is a file, holds something else, or cannot be written.
        OSError: The disk is full; the file name of the error is `folder`.
    """
    folder = folder.resolve()  # of a link, what it points to is replaced
    remove_partial_folders(folder.parent)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"Received output folder {folder}, which is a file; expected a folder.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / marker).exists():
        raise ValueError(
            f"Received output folder {folder}, which holds other files; expected a new or empty "
            f"folder, or one with a {marker} to replace."
        )
    temporary = _beside(folder)
    lock = locked(temporary)
    try:
        new, old = temporary / "new", temporary / "old"
        with naming_full_disk(folder):
            new.mkdir()  # mkdtemp's 0700 would hide results from a group's other members
            yield new
            for path in new.iterdir():
                _flush(path)
        _swap(new, folder, old)
        _flush(folder.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(lock)


def remove_partial_folders(parent: Path) -> None:
    """Removes the temporary folders of processes that were killed.

    A folder that was moved away to be replaced is moved back.
    """
    for temporary in parent.glob(".*-partial-*"):
        if not is_abandoned(temporary):
            continue
        folder = parent / temporary.name[1:].rpartition("-partial-")[0]
        if (temporary / "old").exists() and not folder.exists():
            (temporary / "old").rename(folder)
        shutil.rmtree(temporary, ignore_errors=True)


def _beside(folder: Path) -> Path:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{folder.name}-partial-", dir=folder.parent))
    except OSError as error:
        raise ValueError(
            f"Received output folder {folder}, which cannot be written ({error.strerror}); "
            "expected a folder of yours on a disk with room."
        ) from None


def _swap(new: Path, folder: Path, old: Path) -> None:
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
