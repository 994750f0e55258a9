"""Number of threads an operation may use; it changes speed, not results."""

import os

THREADS = "RESIDUAL_ENSEMBLES_THREADS"
"""The environment variable that says how many threads an operation may use."""


def processors() -> int:
    """Returns how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def given_threads() -> int | None:
    """Returns how many threads the environment gives to an operation; None where it says nothing.

    Raises:
        ValueError: It says something else than an integer, 1 or larger.
    """
    given = os.environ.get(THREADS, "")
    if not given:
        return None
    if not given.isdecimal() or int(given) < 1:
        raise ValueError(f"Received {THREADS}={given!r}, expected an integer, 1 or larger.")
    return int(given)


def process_threads() -> int:
    """Returns how many threads a program has that runs by itself: one for each processor, or as
    many as the environment says."""
    return given_threads() or processors()


def task_threads() -> int:
    """Returns how many threads a task has: one, if the environment does not say more."""
    return given_threads() or 1
