"""Number of threads of an operation; another number changes results by rounding only."""

import os

THREADS = "RESIDUAL_ENSEMBLES_THREADS"
"""The environment variable with the number of threads of an operation."""


def processors() -> int:
    """Returns the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def configured_threads() -> int | None:
    """Returns the number of threads that the environment sets, or None.

    Raises:
        ValueError: It is not an integer, 1 or larger.
    """
    threads = os.environ.get(THREADS, "")
    if not threads:
        return None
    if not threads.isdecimal() or int(threads) < 1:
        raise ValueError(f"Received {THREADS}={threads!r}, expected an integer, 1 or larger.")
    return int(threads)


def process_threads() -> int:
    """Returns the number of threads of a program: as set, or one for each processor."""
    return configured_threads() or processors()


def task_threads() -> int:
    """Returns the number of threads of a task: as set, or one."""
    return configured_threads() or 1
