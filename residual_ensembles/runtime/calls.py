"""`n_jobs` and `verbose` of the public functions: processes and progress bars."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Literal

from tqdm import tqdm

from residual_ensembles.arguments import require_integer, shown
from residual_ensembles.backend import choice
from residual_ensembles.backend.threads import processors
from residual_ensembles.runtime.executor import Executor, Serial

MAX_JOBS = 10_000
"""Largest number of processes, more than any machine runs."""
Verbose = Literal["auto", 0, 1]
"""As in Keras: a progress bar or none; "auto" for one in terminals and notebooks."""


@contextlib.contextmanager
def executor_for(n_jobs: int | None, executor: Executor | None = None) -> Iterator[Executor]:
    """Yields the executor of a call; processes that are started for it end with it.

    Args:
        n_jobs: As in scikit-learn: None or 1 for this process with its threads, -1 for a process on
            each processor, -2 for one fewer, and so on. On JAX, which takes all threads that it
            finds, always this process.
        executor: Executor to use instead; it is not closed.

    Raises:
        TypeError: `n_jobs` is not an integer.
        ValueError: `n_jobs` is 0.
    """
    if n_jobs is not None and require_integer("n_jobs", n_jobs, -MAX_JOBS, MAX_JOBS) == 0:
        raise ValueError(
            f"Received n_jobs={n_jobs!r}, expected a number of processes, or -1 for one on each "
            "processor."
        )
    if executor is not None:
        yield executor
        return
    n = 1 if n_jobs is None else n_jobs
    n = max(1, processors() + 1 + n) if n < 0 else n
    if n == 1 or choice.chosen() == "jax":
        yield Serial()
        return
    from residual_ensembles.runtime.local import Local

    with Local(n) as local:
        yield local


@contextlib.contextmanager
def progress_bar(verbose: Verbose, total: float, title: str) -> Iterator[Callable[[float], object]]:
    """Yields a function that advances a progress bar by a number of steps.

    Args:
        verbose: 1 for a progress bar, 0 for none, "auto" for one in terminals and notebooks.
        total: Number of steps of the full bar.
        title: Text beside the bar.

    Raises:
        ValueError: `verbose` is not one of these.
    """
    if verbose not in ("auto", 0, 1):
        raise ValueError(f"Received verbose={shown(verbose)}, expected 'auto', 0 or 1.")
    is_shown = _is_interactive() if verbose == "auto" else bool(verbose)
    with tqdm(
        total=total, desc=title, unit="", unit_scale=True, mininterval=1, disable=not is_shown
    ) as bar:
        yield bar.update


def _is_interactive() -> bool:
    """Whether stderr is a terminal, or this is a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return sys.stderr.isatty() or type(shell).__name__ == "ZMQInteractiveShell"
