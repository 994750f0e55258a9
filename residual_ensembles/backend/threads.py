"""How many threads an operation may use: where something runs, not what it computes."""

import os

from residual_ensembles.executor import THREADS


def number(threads: int | None = None) -> int | None:
    """Returns `threads`, else what the environment says; None for one for each processor.

    Raises:
        ValueError: The environment says something else than a whole number, 1 or larger.
    """
    if threads is not None:
        return threads
    given = os.environ.get(THREADS, "")
    if not given:
        return None
    if not given.isdecimal() or int(given) < 1:
        raise ValueError(f"Received {THREADS}={given!r}, expected a whole number, 1 or larger.")
    return int(given)
