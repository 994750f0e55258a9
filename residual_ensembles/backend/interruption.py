"""Interruption of programs: they end with one line, within seconds.

Ctrl-C and SIGTERM do the same. While a program is being imported it ends at once; later an
exception is raised, so that temporary files and processes are removed, and after `GRACE_SECONDS`
the process ends in any case.

A stage that DVC started ends with DVC. Where DVC alone is killed and started again, its new stage
waits until the old one has ended.
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

SIGNALS: dict[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
"""Signals that end a program, and what it prints."""
GRACE_SECONDS = 5.0
"""Seconds between a signal and the forced end of a program."""
DVC_SECONDS = 0.5
"""Seconds between two checks of a stage whether DVC still runs."""
DVC_STAGE = "DVC_STAGE"
"""The environment variable in which DVC passes the name of the stage."""
_PR_SET_PDEATHSIG = 1  # of prctl(2)
_STDERR = 2
_LOCKS = Path(".dvc/tmp")
_SHELLS = ("sh", "ash", "bash", "dash", "fish", "ksh", "zsh")

_received: int | None = None


class InterruptionError(Exception):
    """A program was interrupted; `status` is its exit status."""

    def __init__(self, number: int):
        super().__init__(SIGNALS[number])
        self.status = 128 + number


def exit_on_signals() -> None:
    """Makes the signals end this process at once, with one line."""
    for number in SIGNALS:
        signal.signal(number, lambda number, _: _exit(number))


@contextlib.contextmanager
def raise_on_signals() -> Iterator[None]:
    """Makes the signals raise an exception in the block.

    Raises:
        InterruptionError: A signal was received, whatever became of the exception that it raised.
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
def sigint_blocked() -> Iterator[None]:
    """Blocks Ctrl-C, also in processes that are started in the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent() -> None:
    """Makes the system end this process, by SIGTERM, when its parent ends."""
    with contextlib.suppress(AttributeError):  # Linux has it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


def _interrupt(number: int, _) -> None:
    global _received
    if _received is not None:  # the second Ctrl-C: do not wait
        _exit(number)
    _received = number
    # An exception that is raised within a callback is printed, and goes no further.
    sys.unraisablehook = lambda _: None
    end = threading.Timer(GRACE_SECONDS, _exit, (number,))
    end.daemon = True
    end.start()
    raise KeyboardInterrupt


def _exit(number: int) -> NoReturn:
    with contextlib.suppress(OSError):  # it is closed
        os.write(_STDERR, f"error: {SIGNALS[number]}\n".encode())
    os._exit(128 + number)


@contextlib.contextmanager
def only_one_of_its_stage() -> Iterator[None]:
    """In a stage of DVC, waits for another process of the same stage, and ends with DVC."""
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
    """Returns the ids of the parent process and, where that is a shell, of its parent."""
    parent = os.getppid()
    try:
        name, grandparent = _named(parent)
    except OSError:
        return [parent]
    return [parent, grandparent] if name in _SHELLS else [parent]


def _named(pid: int) -> tuple[str, int]:
    """Returns name and parent of a process, from /proc."""
    name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    return name, int(rest.split()[1])


def _end_with(ancestors: list[int]) -> None:
    while _ancestors() == ancestors:
        time.sleep(DVC_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
