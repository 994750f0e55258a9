"""Cache of finished tasks on the disk: their results are found again by later runs."""

import contextlib
import functools
import hashlib
import os
import pickle
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from residual_ensembles.backend.threads import task_threads
from residual_ensembles.runtime.executor import Executor, Task
from residual_ensembles.storage import checkpoints
from residual_ensembles.storage.files import require_file, write_bytes
from residual_ensembles.storage.fingerprint import digest

MAX_BYTES = 4 * 2**30
"""Largest size of the results of one kind; those of a thousand lesions of ten thousand images take
some ten megabytes."""
_SUFFIX = ".result"
_DIGEST_BYTES = hashlib.sha256().digest_size


class ResultCache:
    """A folder with one file for each result, which is complete or not there.

    Files are written atomically and begin with their checksum; a damaged result counts as missing.
    Several processes may use a folder.

    Args:
        folder: Folder of the results, whose name is a digest of all that determines them except
            their keys; None to save nothing.
    """

    def __init__(self, folder: str | os.PathLike | None = None):
        self.folder = None if folder is None else Path(folder)

    def within(self, name: str) -> "ResultCache":
        """Returns a cache in a folder of this one."""
        return ResultCache(None if self.folder is None else self.folder / name)

    def find(self, key: str) -> Any | None:
        """Returns the result that was saved under a key, or None."""
        return None if self.folder is None else _read(self.folder / f"{key}{_SUFFIX}")

    def save(self, key: str, result: object) -> None:
        """Saves a result, anything but None that can be pickled."""
        if self.folder is not None:
            content = zlib.compress(pickle.dumps(result, pickle.HIGHEST_PROTOCOL), level=1)
            checksum = hashlib.sha256(content).digest()
            write_bytes(self.folder / f"{key}{_SUFFIX}", checksum + content)

    def results(self) -> Iterator[Any]:
        """Yields all results, one after another, in the order of their keys."""
        files = [] if self.folder is None else sorted(self.folder.glob(f"[!.]*{_SUFFIX}"))
        return (result for result in map(_read, files) if result is not None)

    def remove(self) -> None:
        """Removes the folder."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _read(file: Path) -> Any | None:
    try:
        require_file(file)
        stored = file.read_bytes()
        checksum, content = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != checksum:
            return None
        return pickle.loads(zlib.decompress(content))  # noqa: S301 - `save` wrote it, to the byte
    except FileNotFoundError:
        return None


def open_cache(kind: str, entries: Sequence[str], **facts: object) -> ResultCache:
    """Returns the cache for results of the same code, under the folder of checkpoints.

    The least recently used caches of this kind are removed where all would exceed `MAX_BYTES`.

    Args:
        kind: Kind of result, which names a folder.
        entries: Modules that compute the results, by name; their imports are included.
        **facts: All other values that determine the results: network, data, parameters.
    """
    folder = checkpoints.folder() / kind
    own = folder / digest(entries, task_threads(), **facts)
    own.mkdir(parents=True, exist_ok=True)
    own.touch()
    remove_oldest(folder, MAX_BYTES)
    return ResultCache(own)


def remove_oldest(folder: Path, max_bytes: int) -> None:
    """Removes the least recently used folders in a folder until the rest is small enough.

    The most recently used one stays, whatever its size.
    """
    total = 0
    last_use = functools.partial(_stat, name="st_mtime_ns")
    for i, each in enumerate(sorted(folder.iterdir(), key=last_use, reverse=True)):
        total += sum(_stat(file, "st_size") for file in each.rglob("*") if file.is_file())
        if i and total > max_bytes:
            shutil.rmtree(each, ignore_errors=True)


def _stat(path: Path, name: str) -> int:
    with contextlib.suppress(FileNotFoundError):  # another process has removed it
        return getattr(path.stat(), name)
    return 0


class CachedTask(NamedTuple):
    """A task, and the cache of its result."""

    key: str
    """Name of the result in the cache."""
    cache: ResultCache
    task: Task
    steps: float = 0
    """Progress that the task makes in all."""


class Count(NamedTuple):
    """Number of finished tasks of a run, and of all tasks."""

    finished: int
    total: int


def run_cached(
    tasks: Sequence[CachedTask],
    executor: Executor,
    progress: Callable[[float], object] = lambda steps: None,
    counted: Callable[[Count], object] = lambda count: None,
    memory_bytes: int = 0,
) -> list:
    """Returns the results of tasks in their order: cached ones, and the rest computed.

    A result is saved as soon as its task is finished: an interruption costs the running tasks.

    Args:
        tasks: Tasks of any number of studies.
        executor: Runs the tasks.
        progress: Called with the steps that were made since the last call.
        counted: Called when a task is finished.
        memory_bytes: As for `Executor.run`.
    """
    results = [each.cache.find(each.key) for each in tasks]
    missing = [i for i, result in enumerate(results) if result is None]
    n_finished = len(tasks) - len(missing)
    progress(sum(each.steps for each, r in zip(tasks, results, strict=True) if r is not None))
    counted(Count(n_finished, len(tasks)))

    def finished(position: int, result: object) -> None:
        nonlocal n_finished
        i = missing[position]
        tasks[i].cache.save(tasks[i].key, result)
        results[i] = result
        n_finished += 1
        counted(Count(n_finished, len(tasks)))

    executor.run([tasks[i].task for i in missing], progress, finished, memory_bytes)
    return results
