"""Temporary folders that the next program removes where a process was killed."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from residual_ensembles.storage.files import is_in_use, mark_in_use

PREFIX = "residual-ensembles-"
LOCK = "lock"
"""Name of the file that the process that uses a temporary folder holds locked in it."""
SECONDS_WITHOUT_LOCK = 60.0
"""Age in seconds at which a temporary folder without a lock counts as that of a killed process."""


def locked(folder: Path) -> int:
    """Locks a new folder while this process lives, and returns the descriptor to close at last."""
    new = folder / f"new {LOCK}"
    descriptor = os.open(new, os.O_RDWR | os.O_CREAT)
    mark_in_use(descriptor)  # before others see it under its name
    new.rename(folder / LOCK)
    return descriptor


def is_abandoned(folder: Path) -> bool:
    """Whether the process that made a temporary folder has ended.

    One without a lock is new, or its process was killed before it had locked the folder or while
    it removed it: only time tells which.
    """
    try:
        if (folder / LOCK).exists():
            return not is_in_use(folder / LOCK)
        return time.time() - folder.stat().st_mtime > SECONDS_WITHOUT_LOCK
    except OSError:  # its process has just removed it
        return False


class TemporaryFolder(tempfile.TemporaryDirectory):
    """A temporary folder; those that killed processes have left are removed first."""

    def __init__(self):
        for other in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            if is_abandoned(other):
                shutil.rmtree(other, ignore_errors=True)
        super().__init__(prefix=PREFIX, ignore_cleanup_errors=True)
        self._lock: int | None = locked(Path(self.name))

    def cleanup(self):
        super().cleanup()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@contextlib.contextmanager
def in_own_folder() -> Iterator[None]:
    """Puts all temporary files of the block, also those of libraries, in one such folder."""
    before = tempfile.tempdir
    with TemporaryFolder() as folder:
        tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = before
