"""Programs that are told to end: in one line, within seconds, and never beside a successor.

Ctrl-C and SIGTERM do the same. While a program is being imported nothing has been made, and it ends
at once; from then on an exception goes through what it does, so that temporary files and processes
go too, and who has not ended after `GRACE_SECONDS` is ended.

A stage that DVC started ends with DVC. DVC killed alone leaves its stage running, and started again
it would run the stage once more beside that one; the later one waits until the earlier has ended.
"""

import contextlib
import ctypes
import fcntl
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
"""Those that end a program, and what it says then."""
GRACE_SECONDS = 5.0
"""Between a signal and the end of a program that has not come to it by itself."""
DVC_SECONDS = 0.5
"""Between two looks of a stage at whether DVC is there."""
DVC_STAGE = "DVC_STAGE"
"""The environment variable in which DVC tells a program which stage it is."""
_PR_SET_PDEATHSIG = 1  # of prctl(2)
_LOCKS = Path(".dvc/tmp")
_SHELLS = ("sh", "ash", "bash", "dash", "fish", "ksh", "zsh")

_received: int | None = None


class InterruptionError(Exception):
    """A program was told to end; `status` is what it exits with."""

    def __init__(self, number: int):
        super().__init__(SIGNALS[number])
        self.status = 128 + number


def end_at_once() -> None:
    """Lets the signals end this process at once, in one line: nothing has been made yet."""
    for number in SIGNALS:
        signal.signal(number, lambda number, _: _exit(number))


@contextlib.contextmanager
def obeyed() -> Iterator[None]:
    """Lets the signals end the block.

    Raises:
        InterruptionError: One was received, whatever became of the exception that it raised.
    """
    before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        yield
    except BaseException as error:
        if _received is not None or isinstance(error, KeyboardInterrupt):
            raise InterruptionError(_received or signal.SIGINT) from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def withheld() -> Iterator[None]:
    """Holds Ctrl-C back; processes that are started in the block never hear of it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent() -> None:
    """Lets the system end this process, by SIGTERM, when the one that started it ends."""
    with contextlib.suppress(AttributeError):  # Linux has it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


def _interrupt(number: int, _) -> None:
    global _received
    if _received is not None:  # a person who asks twice does not want to wait
        _exit(number)
    _received = number
    # An exception that is raised within a callback is shown, and goes no further.
    sys.unraisablehook = lambda _: None
    end = threading.Timer(GRACE_SECONDS, _exit, (number,))
    end.daemon = True
    end.start()
    raise KeyboardInterrupt


def _exit(number: int) -> NoReturn:
    os.write(sys.__stderr__.fileno(), f"error: {SIGNALS[number]}\n".encode())
    os._exit(128 + number)


@contextlib.contextmanager
def only_one_of_its_stage() -> Iterator[None]:
    """Where DVC runs this program: waits for one of the same stage, and ends with DVC."""
    stage = os.environ.get(DVC_STAGE)
    if stage is None or not _LOCKS.is_dir():
        yield
        return
    threading.Thread(target=_end_with, args=(_ancestors(),), daemon=True).start()
    with open(_LOCKS / f"{re.sub('[^A-Za-z0-9_-]', '_', stage)}.running", "w") as file:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _ancestors() -> list[int]:
    """Returns the process that started this one and, where that is a shell, its own."""
    parent = os.getppid()
    try:
        name, grandparent = _named(parent)
    except OSError:
        return [parent]
    return [parent, grandparent] if name in _SHELLS else [parent]


def _named(pid: int) -> tuple[str, int]:
    """Returns a process's name and its parent, from /proc."""
    name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    return name, int(rest.split()[1])


def _end_with(ancestors: list[int]) -> None:
    while _ancestors() == ancestors:
        time.sleep(DVC_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
