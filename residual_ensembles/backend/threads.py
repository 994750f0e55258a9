"""How many threads an operation may use: where something runs, not what it computes."""

from residual_ensembles.executor import given_threads


def number(threads: int | None = None) -> int | None:
    """Returns `threads`, else what the environment says; None for one for each processor.

    Raises:
        ValueError: The environment says something else than a whole number, 1 or larger.
    """
    return given_threads() if threads is None else threads
