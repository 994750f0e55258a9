"""Runs tasks side by side, on this machine or on a cluster: what studies compute through.

RESIDUAL_ENSEMBLES_ENGINE says where: `local` (the default) or `ray`. It is an environment variable,
because where something runs changes no result: a task has one thread, or as many as
RESIDUAL_ENSEMBLES_THREADS says, wherever it runs, and is the same to the bit on processors of one
kind, whatever runs beside it.
"""

import os
import platform
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from residual_ensembles.backend import choice
from residual_ensembles.backend.threads import processors, task_threads

ENGINE = "RESIDUAL_ENSEMBLES_ENGINE"
"""The environment variable that says where tasks run."""
ENGINES = ("local", "ray")
TASK_BYTES = 2**30
"""What a task takes besides what it says: Python, the libraries, a network and its pictures."""


class Task(NamedTuple):
    """One piece of work that can be sent elsewhere."""

    name: str
    """What people call it."""
    function: Callable
    """Of a module that can be imported, called as `function(*arguments, advance)`."""
    arguments: Callable[[], tuple]
    """Returns what it is called with, when its turn comes; what `Executor.put` returned, at the
    top level, becomes the value again."""


class Outcome(NamedTuple):
    """What came of a task."""

    result: object
    steps: int | float
    """By how much it advanced and has not told yet."""
    node: str
    """Where it ran."""


class Executor:
    """Runs tasks one after another in this process, with the threads that it has.

    Others run them elsewhere, and are to be used as contexts, at whose end their processes end.
    """

    engine = "local"
    """Its name, one of `ENGINES`."""

    def __init__(self):
        self.nodes: Counter[str] = Counter()
        """How many tasks each node has finished."""

    def __enter__(self) -> "Executor":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def put(self, value: object) -> object:
        """Returns what stands for a value in the arguments of many tasks; it travels once."""
        return value

    def run(
        self,
        tasks: Sequence[Task],
        advance: Callable[[float], object] = lambda steps: None,
        finished: Callable[[int, object], object] = lambda index, result: None,
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
        results: list = [None] * len(tasks)
        waiting, attempts, failures = deque(range(len(tasks))), Counter(), Counter()
        running: dict[Hashable, int] = {}
        self.prepare(len(tasks), memory_bytes + TASK_BYTES)
        try:
            while waiting or running:
                while waiting and len(running) < self.most():
                    index = waiting.popleft()
                    running[self.submit(tasks[index], advance)] = index
                handle = self.wait(list(running))
                index = running.pop(handle)
                try:
                    outcome = self.outcome(handle)
                except Exception as error:
                    attempts[index] += 1
                    failures[index] += self.counts(error)
                    self.failed(tasks[index], attempts[index], failures[index], error)
                    waiting.append(index)
                    continue
                results[index] = outcome.result
                finished(index, outcome.result)
                self.nodes[outcome.node] += 1
                advance(outcome.steps)
        finally:
            self.cancel(list(running))
        return results

    def told(self) -> str:
        """Returns in a line which nodes took part."""
        each = (f"{name} ({n})" for name, n in sorted(self.nodes.items()))
        return f"computed by {self.engine}, pieces by node: {', '.join(each) or 'none'}"

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

    def prepare(self, n_tasks: int, task_bytes: int) -> None:
        """Makes ready for so many tasks of such a size."""

    def most(self) -> int:
        """Returns how many tasks may be under way."""
        return 1

    def submit(self, task: Task, advance: Callable[[float], object]) -> Hashable:
        """Starts a task and returns what stands for it."""
        return task, advance

    def wait(self, handles: list) -> Hashable:
        """Returns one that is finished."""
        return handles[0]

    def outcome(self, handle) -> Outcome:
        """Returns what came of it, or raises what it raised."""
        task, advance = handle
        return Outcome(task.function(*task.arguments(), advance), 0, platform.node())

    def counts(self, error: Exception) -> float:
        """Returns how many failures an error is; fewer where the machine may be at fault."""
        return 1.0

    def failed(self, task: Task, n_times: int, counted: float, error: Exception) -> None:
        """Raises an error, unless the task shall be tried again.

        Args:
            task: What failed.
            n_times: How often by now.
            counted: What these failures count.
            error: The last one.
        """
        raise error

    def cancel(self, handles: list) -> None:
        """Ends what is still under way."""

    def close(self) -> None:
        """Ends all processes."""


def chosen_engine() -> str:
    """Returns the engine that the environment asks for.

    Raises:
        ValueError: There is no such engine.
    """
    engine = os.environ.get(ENGINE) or "local"
    if engine not in ENGINES:
        raise ValueError(f"Received {ENGINE}={engine!r}, expected one of {', '.join(ENGINES)}.")
    return engine


def chosen(show: bool = False) -> Executor:
    """Returns the executor that the environment asks for.

    Args:
        show: Whether what tasks print on a cluster is shown here; on this machine it always is.

    Raises:
        ValueError: There is no such engine, or it is not installed.
        OSError: Its cluster cannot be used.
    """
    if chosen_engine() == "ray":
        from residual_ensembles.ray_executor import Ray

        return Ray(show)
    if processors() // task_threads() <= 1 or choice.chosen() == "jax":
        return Executor()
    from residual_ensembles.local_executor import Local

    return Local()
