"""Programs of the project as `python -m` runs them, without importing TensorFlow each time.

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
    ["residual_ensembles.unraveling.keras_registration", "residual_ensembles.training.run"]
)


def run(
    module: str, *arguments, folder=None, seconds: float | None = None, **environment: str
) -> CompletedProcess:
    """Runs a module as a program, to its end.

    Args:
        module: Its name, as after `python -m`.
        *arguments: Of the command line.
        folder: Where it runs; None for here.
        seconds: After which it is killed, and has no status; None for never.
        **environment: Variables beside those of this process. What is looked at when the library
            is imported, such as KERAS_BACKEND, comes too late.
    """
    words, place = tuple(map(str, arguments)), str(folder or os.getcwd())
    variables = {**os.environ, **environment}
    with tempfile.TemporaryDirectory() as folder:
        printed = Path(folder, "out"), Path(folder, "err")
        process = FORKS.Process(target=_main, args=(module, words, place, variables, printed))
        process.start()
        process.join(seconds)
        if late := process.exitcode is None:
            process.kill()
            process.join()
        out, err = (path.read_text(errors="replace") for path in printed)
    return CompletedProcess((module, *words), None if late else process.exitcode, out, err)


def succeed(module: str, *arguments, **options) -> CompletedProcess:
    """Runs a module as `run` does; it has to succeed."""
    done = run(module, *arguments, **options)
    assert done.returncode == 0, done.stderr
    return done


def _main(module: str, words: tuple[str, ...], folder: str, variables: dict, printed) -> None:
    for number, path in enumerate(printed, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


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
