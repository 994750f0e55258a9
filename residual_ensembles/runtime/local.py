"""Tasks in processes of this machine, one for each processor or as many as there is memory for."""

import math
import os
import pickle
import platform
import tempfile
import threading
import time
import weakref
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import count, islice
from pathlib import Path

import psutil

from residual_ensembles.backend.threads import processors, task_threads
from residual_ensembles.runtime.executor import TASK_BYTES, Executor, ignore
from residual_ensembles.storage.files import write_text

PARENT_SECONDS = 1
"""Between two looks of a process at whether the program is there."""
TELL_SECONDS = 0.5
"""Between two looks at how far tasks are."""


class Stored:
    """A value in a file, read by each task that is given it; the file goes with this object.

    Args:
        value: What can be pickled.
        folder: Where to.
    """

    def __init__(self, value: object, folder: str):
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            pickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)
        self.path = Path(file.name)
        weakref.finalize(self, self.path.unlink, missing_ok=True)

    def __reduce__(self):
        return _read, (str(self.path),)


def _read(path: str) -> object:
    return pickle.loads(Path(path).read_bytes())  # noqa: S301 - written by the process above


class Told:
    """How far a task is, in a file: what its process writes now and then, and this one reads.

    Args:
        path: The file.
    """

    def __init__(self, path: Path):
        self.path = path
        self.total = 0.0
        self.written = time.monotonic()

    def __call__(self, steps: float) -> None:
        """Adds steps, in the process of the task."""
        self.total += steps
        if time.monotonic() > self.written + TELL_SECONDS:
            self.written = time.monotonic()
            write_text(self.path, repr(self.total))

    def new(self) -> float:
        """Returns the steps that have been written since the last call."""
        before, self.total = self.total, float(self.path.read_text() if self.path.exists() else 0)
        return self.total - before


class Local(Executor):
    """Processes that are started when there is something to do, and stay until the end."""

    engine = "local"

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.pool = None
        self.size = 0
        self.numbers = count()

    def put(self, value):
        return Stored(value, self.folder.name)

    def run(self, tasks, advance=ignore, finished=ignore, memory_bytes=0):
        self._start(len(tasks), memory_bytes + TASK_BYTES)
        results: list = [None] * len(tasks)
        waiting = iter(enumerate(tasks))
        running: dict[Future, tuple[int, Told]] = {}
        try:
            while True:
                # One more than processes: it is ready for whoever ends first.
                for index, task in islice(waiting, self.size + 1 - len(running)):
                    told = Told(Path(self.folder.name) / f"steps-{next(self.numbers)}")
                    call = self.pool.submit(
                        _call, task.function, task.arguments(), task_threads(), told
                    )
                    running[call] = index, told
                if not running:
                    return results
                done, _ = wait(running, TELL_SECONDS, FIRST_COMPLETED)
                for call in done:
                    index, told = running.pop(call)
                    results[index], steps, node = call.result()
                    self.nodes[node] += 1
                    finished(index, results[index])
                    advance(steps - told.total)
                for _, told in running.values():
                    advance(told.new())
        except BrokenProcessPool as error:
            raise OSError(
                f"One of {self.size} processes was killed, perhaps for want of memory; with fewer "
                "processors (taskset) there are fewer at once."
            ) from error
        finally:
            for call in running:
                call.cancel()

    def _start(self, n_tasks: int, task_bytes: int) -> None:
        from joblib.externals.loky import get_reusable_executor

        room = psutil.virtual_memory().available // task_bytes
        limit = max(1, min(processors() // task_threads(), room))
        self.size = max(self.size, min(limit, n_tasks), 1)
        self.pool = get_reusable_executor(
            max_workers=self.size, timeout=None, initializer=begin, initargs=(os.getpid(),)
        )

    def close(self):
        if self.pool is not None:
            self.pool.shutdown(kill_workers=True)
        self.folder.cleanup()


def begin(parent: int) -> None:
    """Lets a process live as long as the program does: neither shorter nor longer.

    It keeps what it has compiled, which loky takes for a leak and a reason to start another; and it
    ends with a program that was killed, which nothing else tells it.

    Args:
        parent: Process number of the program.
    """
    from joblib.externals.loky import process_executor

    process_executor._MAX_MEMORY_LEAK_SIZE = math.inf
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os._exit(1)


def _call(function, arguments: tuple, threads: int, told: Told) -> tuple[object, float, str]:
    from residual_ensembles import backend

    backend.configure(threads)
    result = function(*arguments, told)
    return result, told.total, platform.node()
