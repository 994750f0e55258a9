"""Runs tasks side by side: each in a process of its own, with its share of the processors.

RESIDUAL_ENSEMBLES_THREADS, where it is set, says how many threads each of them uses instead.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import Manager
from threading import Thread

from residual_ensembles import backend_choice

THREADS = "RESIDUAL_ENSEMBLES_THREADS"
"""The environment variable that says how many threads an operation may use."""


def processors() -> int:
    """Returns how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def at_once(n_tasks: int) -> int:
    """Returns how many tasks run at once: one for each processor, or 1 on JAX.

    There one process takes all of a GPU's memory, or all processors, for itself.
    """
    return 1 if backend_choice.chosen() == "jax" else max(1, min(processors(), n_tasks))


def side_by_side(
    function: Callable, tasks: Sequence[tuple], advance: Callable[[int], object]
) -> list:
    """Returns what a function makes of each task, in the order of the tasks.

    Args:
        function: Of a module that can be imported, called as `function(*task, advance)`.
        tasks: Its other arguments, which can be pickled. More tasks than processors share them; a
            lone one has them all. The results of a task are the same to the bit for the same number
            of threads, so they depend on the processors of the machine and on the number of tasks,
            but not on what runs beside it.
        advance: Called here with whatever number a task gives to its own `advance`.

    Raises:
        OSError: A process was killed; what its task raises comes through as it is.
    """
    processes = at_once(len(tasks))
    if processes == 1:
        return [_run(function, task, advance, None) for task in tasks]
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor

    from residual_ensembles.backend.threads import number

    threads = number() or max(1, processors() // processes)

    with Manager() as manager:
        steps = manager.Queue()
        listener = Thread(target=_listen, args=(steps, advance), daemon=True)
        listener.start()
        calls = [delayed(_run)(function, task, steps.put, threads) for task in tasks]
        try:
            return Parallel(processes, backend="loky", batch_size=1)(calls)
        except BrokenProcessPool as error:
            raise OSError(
                f"One of {processes} processes was killed, perhaps for want of memory; with "
                f"fewer processors (taskset) there are fewer at once."
            ) from error
        finally:
            get_reusable_executor().shutdown()  # else its processes stay for minutes
            steps.put(None)
            listener.join()


def _run(function: Callable, task: tuple, advance: Callable[[int], object], threads: int | None):
    from residual_ensembles import backend

    backend.configure(threads)
    return function(*task, advance)


def _listen(steps, advance: Callable[[int], object]) -> None:
    while (step := steps.get()) is not None:
        advance(step)
