"""Tasks in processes of this machine, one for each processor or as many as there is memory for.

The pool is the standard library's, and joblib's loky starts its processes: they import no
`__main__`, so that a script needs no guard, and a task may be a lambda. loky's own pool ends
processes that have grown by 300 MB; ours grow by the functions that they compile, and keep.

Schedulers and containers limit the memory of a process by its control groups (cgroups) of Linux,
and the kernel kills a process that takes more, however much the machine has.
"""

import contextlib
import os
import pickle
import platform
import signal
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import cloudpickle
import psutil

from residual_ensembles.backend import interruption
from residual_ensembles.backend.threads import processors, task_threads
from residual_ensembles.runtime.executor import TASK_BYTES, Executor, ignore
from residual_ensembles.storage.temporary import TemporaryFolder

PARENT_SECONDS = 1.0
"""Seconds between two checks of a process whether the program still runs."""
REPORT_SECONDS = 0.5
"""Seconds between two progress messages of a task."""

# Limit, use, and the share of the use that is inactive file cache, which the kernel frees before it
# kills.
_VERSION_2 = ("memory.max", "memory.current", "inactive_file")
_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")

_steps: Connection | None = None
"""Pipe for the progress of a task, in a process of a pool."""


class StoredValue:
    """A pickled value in a file, read by each task that has it among its arguments.

    The file is removed with this object.
    """

    def __init__(self, value: object, folder: str):
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            cloudpickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)
        self.path = Path(file.name)
        weakref.finalize(self, self.path.unlink, missing_ok=True)

    def __reduce__(self):
        return _read, (str(self.path),)


def _read(path: str) -> object:
    return pickle.loads(Path(path).read_bytes())  # noqa: S301 - the program wrote it


class Local(Executor):
    """Runs tasks in processes of this machine, started on demand and kept until `close`.

    Args:
        n_processes: Number of processes; None for one on each processor.
    """

    def __init__(self, n_processes: int | None = None):
        super().__init__()
        self.n_processes = n_processes
        self.folder = TemporaryFolder()
        self.pool: ProcessPoolExecutor | None = None
        self.steps, self._progress = Pipe(duplex=False)
        self._stop_reader, self._stop_writer = Pipe(duplex=False)
        """Processes wait on the first, and end when the second is closed, here or by our end."""

    def scatter(self, value):
        return StoredValue(value, self.folder.name)

    def run(self, tasks, advance=ignore, finished=ignore, memory_bytes=0):
        # Processes that run already reuse their memory.
        room = (available_bytes() + _bytes_of_children()) // (memory_bytes + TASK_BYTES)
        n_at_once = max(1, min(self.max_in_flight(), len(tasks), room))
        results: list = [None] * len(tasks)
        waiting, running = iter(enumerate(tasks)), {}
        self.new_steps()  # discards those of tasks that failed

        def start(n: int) -> None:
            for index, task in islice(waiting, n):
                arguments = task.arguments()  # kept, as their `StoredValue` files end with them
                running[self._submit(task.function, arguments)] = index, arguments

        try:
            start(n_at_once)
            while running:
                done, _ = wait(running, REPORT_SECONDS, FIRST_COMPLETED)
                for call in done:
                    index, _ = running.pop(call)
                    results[index], steps = call.result()
                    start(1)
                    self.nodes[platform.node()] += 1
                    finished(index, results[index])
                    advance(steps)
                advance(self.new_steps())
        except BrokenProcessPool as error:
            self._end_processes()
            raise OSError(
                f"One of {n_at_once} processes was killed, perhaps for want of memory; with fewer "
                "processors (taskset) there are fewer at once."
            ) from error
        finally:
            for call in running:
                call.cancel()
        return results

    def max_in_flight(self) -> int:
        """Returns how many tasks run at once where memory allows."""
        return self.n_processes or max(1, processors() // task_threads())

    def new_steps(self) -> float:
        """Returns the steps that running tasks have reported since the last call."""
        steps = 0.0
        while self.steps.poll():
            steps += self.steps.recv()
        return steps

    def _submit(self, function, arguments: tuple) -> Future:
        if self.pool is None:
            self.pool = self._new_pool()
        content = cloudpickle.dumps((function, arguments))
        # Also while a process that this starts is not ready yet.
        with interruption.sigint_blocked():
            return self.pool.submit(_call, content, task_threads())

    def _new_pool(self) -> ProcessPoolExecutor:
        from joblib.externals.loky.backend import get_context

        return ProcessPoolExecutor(
            self.max_in_flight(),
            mp_context=get_context("loky"),
            initializer=initialize_process,
            initargs=(os.getpid(), self._stop_reader, self._progress, self.folder.name),
        )

    def _end_processes(self) -> None:
        """Ends all processes, and prepares for new ones."""
        self._stop_writer.close()
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=True)
        self.pool = None
        self._stop_reader.close()
        self._stop_reader, self._stop_writer = Pipe(duplex=False)

    def close(self):
        self._end_processes()
        for each in (self.steps, self._progress, self._stop_reader, self._stop_writer):
            each.close()
        self.folder.cleanup()


def available_bytes(root: Path = Path("/")) -> int:
    """Returns the memory that this process can still take without being killed."""
    return max(0, min([psutil.virtual_memory().available, *_left_by_groups(root)]))


def _left_by_groups(root: Path) -> Iterator[int]:
    """Yields the memory left by each control group of this process and by those above."""
    for folder, (limit, use, cache) in _groups(root):
        try:
            maximum = (folder / limit).read_text().strip()
            if maximum != "max":
                cached = dict(map(str.split, (folder / "memory.stat").read_text().splitlines()))
                used = int((folder / use).read_text()) - int(cached.get(cache, 0))
                yield int(maximum) - used
        except (OSError, ValueError):  # the group has no limit on memory, or may not be read
            continue


def _groups(root: Path) -> Iterator[tuple[Path, tuple[str, str, str]]]:
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if not controllers:
            top, names = root / "sys/fs/cgroup", _VERSION_2
        elif "memory" in controllers.split(","):
            top, names = root / "sys/fs/cgroup/memory", _VERSION_1
        else:
            continue
        # In a container the name may be that of the machine, and the group itself lie at the top.
        group = top / name.strip("/")
        yield from ((each, names) for each in (group, *group.parents) if each.is_relative_to(top))


def _bytes_of_children() -> int:
    n_bytes = 0
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            n_bytes += child.memory_info().rss
    return n_bytes


def initialize_process(parent: int, stop: Connection, progress: Connection, folder: str) -> None:
    """Initializes a process of a pool: it ends with the program, and reports progress.

    The program closes the other end of `stop` to end the process, and removes the folder of
    temporary files.
    """
    global _steps
    _steps = progress
    tempfile.tempdir = folder
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the program, which ends us
    threading.Thread(target=_end_with, args=(parent, stop), daemon=True).start()


def _end_with(parent: int, stop: Connection) -> None:
    # A copy of the program, made by fork, may hold the pipe open when the program is no more.
    while os.getppid() == parent and not stop.poll(PARENT_SECONDS):
        pass
    os._exit(1)


def _call(content: bytes, threads: int) -> tuple[object, float]:
    """Runs a task and returns its result, and the steps that it has not reported."""
    from residual_ensembles import backend

    backend.configure(threads)
    function, arguments = pickle.loads(content)  # noqa: S301 - of the program
    unreported, last = 0.0, time.monotonic()

    def advance(steps: float) -> None:
        nonlocal unreported, last
        unreported += steps
        if _steps is not None and time.monotonic() > last + REPORT_SECONDS:
            # One write of few bytes, which is atomic among processes.
            _steps.send(unreported)
            unreported, last = 0.0, time.monotonic()

    result = function(*arguments, advance)
    return result, unreported
