"""Tasks in processes of this machine, one for each processor or as many as there is memory for."""

import pickle
import platform
import tempfile
import weakref
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import psutil

from residual_ensembles.executor import Executor, Outcome, Task, processors, task_threads

IDLE_SECONDS = 30
"""After which a process ends: where the program was killed, nothing else tells it to."""


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


class Local(Executor):
    """Processes that are started when there is something to do, and stay until the end."""

    engine = "local"

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.pool = None
        self.size = 0

    def put(self, value):
        return Stored(value, self.folder.name)

    def prepare(self, n_tasks, task_bytes):
        from joblib.externals.loky import get_reusable_executor

        room = psutil.virtual_memory().available // task_bytes
        limit = max(1, min(processors() // task_threads(), room))
        self.size = max(self.size, min(limit, n_tasks), 1)
        self.pool = get_reusable_executor(max_workers=self.size, timeout=IDLE_SECONDS, reuse=True)

    def most(self):
        return self.size + 1  # one is ready for whoever ends first

    def submit(self, task: Task, advance):
        return self.pool.submit(_call, task.function, task.arguments(), task_threads())

    def wait(self, handles: list[Future]) -> Future:
        return next(iter(wait(handles, return_when=FIRST_COMPLETED).done))

    def outcome(self, handle: Future) -> Outcome:
        return handle.result()

    def failed(self, task, n_times, error):
        if isinstance(error, BrokenProcessPool):
            raise OSError(
                f"One of {self.size} processes was killed, perhaps for want of memory; with fewer "
                "processors (taskset) there are fewer at once."
            ) from error
        raise error

    def cancel(self, handles):
        for handle in handles:
            handle.cancel()

    def close(self):
        if self.pool is not None:
            self.pool.shutdown(kill_workers=True)
        self.folder.cleanup()


def _call(function, arguments: tuple, threads: int) -> Outcome:
    from residual_ensembles import backend

    backend.configure(threads)
    steps = []
    result = function(*arguments, steps.append)
    return Outcome(result, sum(steps), platform.node())
