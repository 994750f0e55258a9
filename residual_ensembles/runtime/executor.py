"""Tasks, and what runs them: the interface, and the plainest implementation of it.

Where something runs changes no result: a task has one thread, or as many as
RESIDUAL_ENSEMBLES_THREADS says, wherever it runs, and is the same to the bit on processors of one
kind, whatever runs beside it.
"""

import platform
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from residual_ensembles.backend import choice
from residual_ensembles.backend.threads import task_threads

TASK_BYTES = 2**30
"""What a task takes besides what it says: Python, the libraries, a network and its images."""


class Task(NamedTuple):
    """One unit of work that can be sent elsewhere."""

    name: str
    """What people call it."""
    function: Callable
    """Of a module that can be imported, called as `function(*arguments, advance)`."""
    arguments: Callable[[], tuple]
    """Returns what it is called with, when its turn comes; what `Executor.scatter` returned, at the
    top level, becomes the value again."""


def ignore(*_) -> None:
    """Does nothing with what it is called with."""


class Executor(ABC):
    """Runs tasks; to be used as a context, at whose end the processes that it started end."""

    engine = "local"
    """Where tasks run: "local" or "ray"."""

    def __init__(self):
        self.nodes: Counter[str] = Counter()
        """How many tasks each node has finished."""

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
            tasks: What to run; the arguments of few of them exist at a time.
            advance: Called here with whatever number a task gives to its own `advance`.
            finished: Called here with the index and the result of a task as soon as it is finished.
            memory_bytes: What each task may take, beside `TASK_BYTES`.

        Raises:
            OSError: A process was killed, or a task failed again and again; what tasks raise on
                this machine comes through as it is.
        """

    def scatter(self, value: object) -> object:
        """Returns what stands for a value in the arguments of many tasks; it is sent once."""
        return value

    def close(self) -> None:  # noqa: B027 - most have none
        """Ends the processes that were started."""

    def summary(self) -> str:
        """Returns in a line which nodes took part."""
        each = (f"{name} ({n})" for name, n in sorted(self.nodes.items()))
        return f"computed by {self.engine}, tasks by node: {', '.join(each) or 'none'}"

    def provenance(self) -> dict:
        """Returns what took part, to be kept beside a result.

        JAX takes the threads that it finds, and how many is not known here.
        """
        on_jax = choice.chosen() == "jax"
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
