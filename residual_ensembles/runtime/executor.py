"""Tasks and executors: the interface, and serial execution in this process.

Where a task runs changes no result: everywhere it has one thread, or as many as
RESIDUAL_ENSEMBLES_THREADS says, and on processors of one kind its result is the same to the bit.
"""

import platform
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from residual_ensembles.backend import choice
from residual_ensembles.backend.threads import task_threads

TASK_BYTES = 2**30
"""Memory of a task besides what it states: Python, the libraries, a network and its images."""


class Task(NamedTuple):
    """One unit of work that can be sent to another process."""

    name: str
    """Name for errors and dashboards."""
    function: Callable
    """Function of an importable module, called as `function(*arguments, advance)`."""
    arguments: Callable[[], tuple]
    """Returns the arguments, just before the task is sent; a top-level argument that
    `Executor.scatter` returned is replaced by its value."""


def ignore(*_) -> None:
    """Does nothing."""


class Executor(ABC):
    """Runs tasks. As a context manager it ends the processes that it started."""

    engine = "local"
    """Where tasks run: "local" or "ray"."""

    def __init__(self):
        self.nodes: Counter[str] = Counter()
        """Number of finished tasks of each node."""

    def __enter__(self) -> "Executor":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @abstractmethod
    def run(
        self,
        tasks: Sequence[Task],
        advance: Callable[[float], object] = ignore,
        finished: Callable[[int, object], object] = ignore,
        memory_bytes: int = 0,
    ) -> list:
        """Returns the results of tasks in their order, whichever is finished first.

        Args:
            tasks: Tasks to run; the arguments of few of them exist at a time.
            advance: Called in this process with the numbers that tasks pass to their `advance`.
            finished: Called in this process with index and result of each finished task.
            memory_bytes: Memory that each task may take, in addition to `TASK_BYTES`.

        Raises:
            OSError: A process was killed, or a task of a cluster failed repeatedly; on this machine
                errors of tasks are raised as they are.
        """

    def scatter(self, value: object) -> object:
        """Returns a reference to a value for the arguments of many tasks; it is sent once."""
        return value

    def close(self) -> None:  # noqa: B027 - most have none
        """Ends the processes that were started."""

    def summary(self) -> str:
        """Returns one line: how many tasks each node computed."""
        each = (f"{name} ({n})" for name, n in sorted(self.nodes.items()))
        return f"computed by {self.engine}, tasks by node: {', '.join(each) or 'none'}"

    def provenance(self) -> dict:
        """Returns engine, threads and nodes, to be saved with a result."""
        on_jax = choice.chosen() == "jax"  # which takes the threads that it finds
        return {
            "engine": self.engine,
            "threads_of_a_task": None if on_jax else task_threads(),
            "tasks_by_node": dict(sorted(self.nodes.items())),
        }


class Serial(Executor):
    """Runs tasks one after another in this process, with the threads that it has."""

    def run(self, tasks, advance=ignore, finished=ignore, memory_bytes=0):
        results = []
        for index, task in enumerate(tasks):
            results.append(task.function(*task.arguments(), advance))
            self.nodes[platform.node()] += 1
            finished(index, results[-1])
        return results
