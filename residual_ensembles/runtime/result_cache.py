"""Tasks whose results outlive the run that computed them: found again, or computed and kept."""

import contextlib
import hashlib
import os
import pickle
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from residual_ensembles.backend.threads import task_threads
from residual_ensembles.runtime.executor import Executor, Task
from residual_ensembles.storage import checkpoints
from residual_ensembles.storage.files import require_file, write_bytes
from residual_ensembles.storage.fingerprint import digest

MOST_BYTES = 4 * 2**30
"""What results of one kind may take; those of a thousand lesions of ten thousand images take some
ten megabytes."""
_SUFFIX = ".result"
_DIGEST_BYTES = hashlib.sha256().digest_size


class ResultCache:
    """A folder with one file for each result, which is whole or is not there.

    Results are written under a temporary name and renamed, and begin with their checksum: one that
    was damaged, or written only in part, does not exist. Several processes may use a folder.

    Args:
        folder: The folder; its name has to stand for everything that determines the results beside
            their keys. None keeps nothing.
    """

    def __init__(self, folder: str | os.PathLike | None = None):
        self.folder = None if folder is None else Path(folder)

    def within(self, name: str) -> "ResultCache":
        """Returns a cache in a folder of this one."""
        return ResultCache(None if self.folder is None else self.folder / name)

    def find(self, key: str) -> object | None:
        """Returns a result; None where there is none, or a damaged one.

        Args:
            key: Its name, unique within the folder.
        """
        return None if self.folder is None else _read(self.folder / f"{key}{_SUFFIX}")

    def keep(self, key: str, result: object) -> None:
        """Writes a result that can be pickled.

        Args:
            key: Name of the result.
            result: Anything but None.
        """
        if self.folder is not None:
            content = zlib.compress(pickle.dumps(result, pickle.HIGHEST_PROTOCOL), level=1)
            checksum = hashlib.sha256(content).digest()
            write_bytes(self.folder / f"{key}{_SUFFIX}", checksum + content)

    def results(self) -> Iterator[object]:
        """Yields all results, one after another, in the order of their keys."""
        files = [] if self.folder is None else sorted(self.folder.glob(f"[!.]*{_SUFFIX}"))
        found = (_read(file) for file in files)
        return (result for result in found if result is not None)

    def remove(self) -> None:
        """Removes the folder."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _read(file: Path) -> object | None:
    try:
        require_file(file)
        stored = file.read_bytes()
        checksum, content = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != checksum:
            return None
        return pickle.loads(zlib.decompress(content))  # noqa: S301 - `keep` wrote it, to the byte
    except FileNotFoundError:
        return None


def kept_results(kind: str, entries: Sequence[str], **facts: object) -> ResultCache:
    """Returns where results are kept, for later runs of the same code too.

    Those that have not been looked at for longest are removed where all of their kind together
    would take more than `MOST_BYTES`.

    Args:
        kind: Kind of result: the name of the folder for all of them.
        entries: Modules that compute them.
        **facts: What else decides about all of them, as plain values: network, data, parameters.
    """
    folder = checkpoints.folder() / kind
    own = folder / digest(entries, task_threads(), **facts)
    own.mkdir(parents=True, exist_ok=True)
    own.touch()
    forget_oldest(folder, MOST_BYTES)
    return ResultCache(own)


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


class CachedTask(NamedTuple):
    """A task, and where its result is kept."""

    key: str
    """Of the result in the cache."""
    cache: ResultCache
    task: Task
    steps: float = 0
    """By how much it advances; what progress is told when the result is found."""


class Count(NamedTuple):
    """Number of finished tasks of a run, and of all."""

    finished: int
    total: int


def run_cached(
    tasks: Sequence[CachedTask],
    executor: Executor,
    progress: Callable[[float], object] = lambda steps: None,
    counted: Callable[[Count], object] = lambda count: None,
    memory_bytes: int = 0,
) -> list:
    """Returns the results of tasks in their order: those that are kept, and the rest computed.

    A result is kept as soon as its task is finished, so that an interruption costs no more than the
    tasks under way.

    Args:
        tasks: Of any number of studies; they keep all processors busy together.
        executor: Runs the tasks.
        progress: Called with the steps that were made since the last call.
        counted: Called when a task is finished.
        memory_bytes: What each task may take, beside what every task takes.
    """
    results = [each.cache.find(each.key) for each in tasks]
    missing = [i for i, result in enumerate(results) if result is None]
    n_finished = len(tasks) - len(missing)
    progress(sum(each.steps for each, r in zip(tasks, results, strict=True) if r is not None))
    counted(Count(n_finished, len(tasks)))

    def finished(place: int, result: object) -> None:
        nonlocal n_finished
        i = missing[place]
        tasks[i].cache.keep(tasks[i].key, result)
        results[i] = result
        n_finished += 1
        counted(Count(n_finished, len(tasks)))

    executor.run([tasks[i].task for i in missing], progress, finished, memory_bytes)
    return results
