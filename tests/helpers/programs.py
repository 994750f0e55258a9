"""Programs as `python -m` runs them, DVC too, without importing TensorFlow or DVC each time.

Each program gets a process of its own, forked from one that has imported the library and done
nothing else.
"""

import multiprocessing
import os
import runpy
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "residual_ensembles.unraveling.keras_registration",
        "residual_ensembles.training.run",
        "dvc.commands.repro",
        "dvc.repo",
    ]
)


class Program:
    """A module that runs as a program.

    Args:
        module: Its name, as after `python -m`.
        *arguments: Of the command line.
        folder: Where it runs; None for here.
        n_processors: On which it runs. On one, its tasks run in its own process, and no worker has
            to import everything first.
        **environment: Variables beside those of this process. What is looked at when the library
            is imported, such as KERAS_BACKEND, comes too late.
    """

    def __init__(
        self, module: str, *arguments, folder=None, n_processors: int = 1, **environment: str
    ):
        self.words = [module, *map(str, arguments)]
        self._folder = tempfile.TemporaryDirectory()
        self._printed = [Path(self._folder.name, name) for name in ("out", "err")]
        place, processors = str(folder or os.getcwd()), _some_processors(n_processors)
        variables = {**os.environ, **environment}
        arguments = self.words, place, processors, variables, self._printed
        self.process = FORKS.Process(target=_main, args=arguments)
        self.process.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.process.exitcode is None

    def kill(self) -> CompletedProcess:
        """Ends it, if it has not ended, by SIGKILL."""
        self.process.kill()
        return self.finish()

    def finish(self, seconds: float | None = None) -> CompletedProcess:
        """Waits for its end; after some seconds, it is killed and has no status."""
        self.process.join(seconds)
        if late := self.runs:
            self.process.kill()
            self.process.join()
        out, err = (p.read_text(errors="replace") if p.exists() else "" for p in self._printed)
        self._folder.cleanup()
        return CompletedProcess(self.words, None if late else self.process.exitcode, out, err)


def run(module: str, *arguments, seconds: float | None = None, **options) -> CompletedProcess:
    """Runs a program to its end, or for some seconds; the other arguments are `Program`'s."""
    return Program(module, *arguments, **options).finish(seconds)


def succeed(module: str, *arguments, **options) -> CompletedProcess:
    """Runs a program as `run` does; it has to succeed."""
    done = run(module, *arguments, **options)
    assert done.returncode == 0, done.stderr
    return done


def _some_processors(n: int) -> list[int] | None:
    """Returns some of those on which this process runs; processes of tests take each another."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    own = sorted(os.sched_getaffinity(0))
    first = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % len(own)
    return (own[first:] + own[:first])[:n]


def _main(words: list[str], folder: str, processors, variables: dict, printed) -> None:
    for number, path in enumerate(printed, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    if processors is not None:
        os.sched_setaffinity(0, processors)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = words
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


def wait_until(condition: Callable[[], object], seconds: float = 120.0, pause: float = 0.01):
    """Waits until a condition holds, and returns what it returned.

    Raises:
        TimeoutError: It did not hold in time.
    """
    end = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} seconds in vain")
        time.sleep(pause)
    return result


def has_ended(pid: int, seconds: float = 10.0) -> bool:
    """Whether a process has ended, or does within some seconds."""
    try:
        return wait_until(lambda: not _runs(pid), seconds)
    except TimeoutError:
        return False


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
