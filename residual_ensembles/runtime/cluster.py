"""Tasks on a Ray cluster that someone has, at RAY_ADDRESS: all that the project knows of Ray.

What a task needs is sent with it: the code by Ray's `runtime_env`, networks and images through
its object store. RESIDUAL_ENSEMBLES_REQUIREMENTS may name a file of requirements that Ray installs
on the nodes; without it, their Python has to have them.
"""

import logging
import math
import os
import platform
import socket
import time
from collections import Counter, deque
from pathlib import Path
from urllib.parse import urlsplit

from residual_ensembles.backend import choice, extras, process
from residual_ensembles.backend.threads import THREADS, task_threads
from residual_ensembles.runtime.executor import TASK_BYTES, Executor, Task, ignore
from residual_ensembles.storage import checkpoints
from residual_ensembles.storage.imports import LIBRARY

ADDRESS = "RAY_ADDRESS"
"""Ray's own environment variable; without it, Ray looks on this machine, or starts there."""
REQUIREMENTS = "RESIDUAL_ENSEMBLES_REQUIREMENTS"
"""The environment variable with a file of requirements that Ray installs on the nodes."""
ATTEMPTS = 3
"""Failures of a task before the run is stopped."""
A_NODE_COUNTS = 0.25
"""A node that died may have been ended by its owner, and four of them count as one failure; a task
that takes node after node along is not sent on for ever."""
AHEAD = 2
"""Tasks under way for each that can run: who ends has the next one there already."""
SECONDS_BETWEEN_LOOKS = 5.0
"""Between looks at which nodes there are."""
PATIENCE_SECONDS = 10.0
"""How long a head node may take to answer."""
NODE_ID = "ray.io/node-id"
"""A label that Ray gives each node."""
NEEDED = (
    "numpy",
    "pandas",
    "scipy",
    "psutil",
    "tqdm",
    "absl",
    "PIL",
    "statsmodels",
    "array_record",
    "yaml",
    "dvc",
    "dvclive",
    "lazy_loader",
    "pydantic",
)
"""Modules, besides Keras and its backend, that a node's Python has to have."""
SAME = ("keras",)
"""Packages, besides the backend, of which a node has to have the driver's version."""
SENT = ("KERAS_HOME", THREADS, process.ALLOCATOR, process.ONEDNN, process.MAX_CPU_ISA)
"""Variables of the driver that hold for tasks too."""


class Ray(Executor):
    """Tasks wherever the cluster has room for them.

    Args:
        show: Whether what tasks print is shown here.

    Raises:
        MissingExtraError: Ray is not installed.
        OSError: The cluster does not answer, or is of another version, or a node of it lacks what
            tasks need.
    """

    engine = "ray"

    def __init__(self, show: bool = False):
        super().__init__()
        self.ray = _installed()
        self.options: dict = {}
        self.wanted: dict = {}
        self.looked, self.limit = -math.inf, 1
        self.seen: set[str] = set()
        self.asked: dict[str, tuple] = {}
        """Nodes that have not answered yet, by id: name and answer."""
        self.unusable: set[str] = set()
        _check_answers(os.environ.get(ADDRESS, ""))
        self._connect(show)
        try:
            self._check_nodes()
        except BaseException:
            self.close()
            raise
        self.call = self.ray.remote(max_retries=0)(_call)

    def _connect(self, show: bool) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
        os.environ.setdefault("RAY_OVERRIDE_JOB_RUNTIME_ENV", "1")  # a submitted job has its own
        where, sent = os.environ.get(ADDRESS) or "this machine", _runtime_env()
        try:
            self.ray.init(runtime_env=sent, log_to_driver=show, logging_level=logging.ERROR)
        except (RuntimeError, ConnectionError, ValueError) as error:
            self.close()
            if "ersion mismatch" in str(error):
                raise OSError(
                    f"The Ray cluster at {where} has another version: {_one_line(error)} Expected "
                    f"Ray {self.ray.__version__} and Python {platform.python_version()}, as here."
                ) from error
            raise OSError(
                f"The Ray cluster at {where} cannot be used ({_one_line(error)}), expected the "
                f"address of a running one in {ADDRESS}: ray start --head prints it."
            ) from error

    def _check_nodes(self) -> None:
        """Looks at every node that has processors, before anything is sent there.

        Raises:
            OSError: There is none, or one cannot run the project's code.
        """
        nodes = self._nodes()
        if not nodes:
            raise OSError("The Ray cluster has no node with processors, expected at least one.")
        self._ask(nodes)
        for node in nodes:
            if problem := self._problem(node["NodeID"]):
                raise OSError(problem)

    def _ask(self, nodes: list[dict]) -> None:
        """Asks nodes what they have; nothing is sent to them until they have answered."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        remote = self.ray.remote(num_cpus=0, max_retries=1)(_prober())
        backend = choice.chosen()
        for node in nodes:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            answer = remote.options(scheduling_strategy=there).remote(
                (*NEEDED, "keras", backend), (*SAME, backend)
            )
            name = _title(node["NodeManagerHostname"], node["NodeID"])
            self.asked[node["NodeID"]] = name, answer
            self.seen.add(node["NodeID"])

    def _problem(self, node_id: str) -> str | None:
        """Waits for the answer of a node and returns why it cannot be used; None where it can."""
        name, answer = self.asked.pop(node_id)
        errors = self.ray.exceptions
        # A node that dies counts as there for a while: nothing is sent to it, and the run goes on.
        gone = errors.TaskUnschedulableError, errors.NodeDiedError, errors.LocalRayletDiedError
        try:
            missing, versions = self.ray.get(answer)
        except gone:
            return None
        except errors.RayError as error:
            return _unusable(name, _one_line(_cause(error)))
        if missing:
            return _unusable(name, f"it has no {', '.join(missing)}")
        _, here = _prober()((), tuple(versions))
        if versions != here:
            return f"The Ray node {name} has {_listed(versions)}, expected as here {_listed(here)}."
        return None

    def _meet(self, nodes: list[dict]) -> None:
        """Asks nodes that have joined, and leaves those out that cannot be used."""
        self._ask([node for node in nodes if node["NodeID"] not in self.seen])
        for node_id, (_, answer) in list(self.asked.items()):
            if self.ray.wait([answer], timeout=0)[0] and (problem := self._problem(node_id)):
                print(f"{problem} It is left out.", flush=True)
                self.unusable.add(node_id)
        left_out = sorted({*self.asked, *self.unusable})
        self.options["label_selector"] = {NODE_ID: f"!in({','.join(left_out)})"} if left_out else {}

    def _nodes(self) -> list[dict]:
        nodes = self.ray.nodes()
        return [node for node in nodes if node["Alive"] and node["Resources"].get("CPU")]

    def scatter(self, value):
        return self.ray.put(value)

    def run(self, tasks, advance=ignore, finished=ignore, memory_bytes=0):
        self._require(memory_bytes + TASK_BYTES)
        results: list = [None] * len(tasks)
        waiting, attempts = deque(range(len(tasks))), Attempts(self.ray.exceptions)
        running: dict = {}
        try:
            while waiting or running:
                while waiting and len(running) < self.max_in_flight():
                    index = waiting.popleft()
                    running[self._submit(tasks[index])] = index
                (ready, *_), _ = self.ray.wait(list(running), num_returns=1)
                index = running.pop(ready)
                try:
                    results[index], steps, node = self.ray.get(ready)
                except Exception as error:
                    attempts.failed(tasks[index].name, index, error)
                    waiting.append(index)
                    continue
                self.nodes[node] += 1
                finished(index, results[index])
                advance(steps)
        finally:
            for call in running:
                self.ray.cancel(call, force=True)
        return results

    def _require(self, task_bytes: int) -> None:
        """States what a task takes, and sees that some node has it."""
        nodes = [node["Resources"] for node in self._nodes()]
        on_gpu = choice.chosen() == "jax" and any(node.get("GPU") for node in nodes)
        self.options = {
            "num_cpus": task_threads(),
            "num_gpus": int(on_gpu),
            "memory": task_bytes,
        }
        wanted = {"CPU": task_threads(), "GPU": int(on_gpu), "memory": task_bytes}
        if not any(_rooms(node, wanted) for node in nodes):
            raise OSError(
                f"No node of the Ray cluster has what a task takes: {_listed(wanted)}, expected "
                "fewer RESIDUAL_ENSEMBLES_THREADS, less memory (lesion.memory_mib), or larger "
                "nodes."
            )
        self.wanted, self.looked = wanted, -math.inf

    def max_in_flight(self) -> int:
        """Returns how many tasks may be under way."""
        if time.monotonic() > self.looked + SECONDS_BETWEEN_LOOKS:
            nodes = self._nodes()
            self._meet(nodes)
            usable = [n for n in nodes if n["NodeID"] not in {*self.asked, *self.unusable}]
            rooms = sum(_rooms(node["Resources"], self.wanted) for node in usable)
            self.looked, self.limit = time.monotonic(), max(1, AHEAD * rooms)
        return self.limit

    def _submit(self, task: Task):
        call = self.call.options(name=task.name, **self.options)
        return call.remote(task.function, task_threads(), *task.arguments())

    def close(self):
        self.ray.shutdown()


class Attempts:
    """Counts how often tasks failed, and decides which of them are tried again.

    Args:
        exceptions: Ray's.
    """

    def __init__(self, exceptions):
        self.exceptions = exceptions
        self.n_times: Counter[int] = Counter()
        self.counted: Counter[int] = Counter()
        """The same, where a node that died counts as `A_NODE_COUNTS`."""

    def failed(self, name: str, index: int, error: Exception) -> None:
        """Raises an error, unless the task shall be tried again.

        Args:
            name: Name of the task.
            index: Position of the task.
            error: What it failed with.
        """
        if not isinstance(error, self.exceptions.RayError):
            raise error
        died = isinstance(error, self.exceptions.NodeDiedError)
        self.n_times[index] += 1
        self.counted[index] += A_NODE_COUNTS if died else 1.0
        if self.counted[index] >= ATTEMPTS:
            cause = _cause(error)
            raise OSError(
                f"{name}: failed {self.n_times[index]} times, at last with {type(cause).__name__}: "
                f"{_one_line(cause)} What was finished is kept; start again to go on from there."
            ) from error


def _installed():
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")  # two networks may well print the same line
    extras.require("cluster", "ray")
    import ray
    import ray.exceptions

    return ray


def _check_answers(address: str) -> None:
    """Refuses an address where nothing listens: Ray itself would try for minutes, and abort."""
    parts = urlsplit(address if "://" in address else f"gcs://{address}")
    if address in ("", "auto", "local"):
        return
    try:
        port = parts.port or 10001  # Ray's own default of a client's address
        socket.create_connection((parts.hostname or "", port), PATIENCE_SECONDS).close()
    except (OSError, ValueError) as error:
        raise OSError(
            f"Received {ADDRESS}={address}, where no Ray cluster answers ({error}), expected "
            "HOST:PORT of a running head node, as ray start --head prints it."
        ) from None


def _runtime_env() -> dict:
    """Returns what Ray brings to the nodes: this code, and packages where that is asked for."""
    rooms = [str(LIBRARY)]
    if (LIBRARY.parent / "pipelines" / "study.py").is_file():
        rooms.append(str(LIBRARY.parent / "pipelines"))
    env = {"py_modules": rooms}
    env["env_vars"] = {name: os.environ[name] for name in SENT if name in os.environ}
    env["env_vars"]["KERAS_BACKEND"] = choice.chosen()  # it may stand in a file here
    if checkpoints.VARIABLE in os.environ:  # tasks run in folders of their own
        env["env_vars"][checkpoints.VARIABLE] = str(checkpoints.folder().absolute())
    if requirements := os.environ.get(REQUIREMENTS):
        if not Path(requirements).is_file():
            raise ValueError(
                f"Received {REQUIREMENTS}={requirements}, which is not there, expected a file such "
                "as requirements.txt."
            )
        env["pip"] = requirements
    return env


def _prober():
    """Returns a function that travels as it is, for a node that cannot import this file."""

    def probe(needed: tuple, same: tuple) -> tuple[list, dict]:
        """Returns what a node lacks, and the versions of some packages there."""
        from importlib import metadata, util

        missing = [name for name in needed if util.find_spec(name) is None]
        known = {each.metadata["Name"]: each.version for each in metadata.distributions()}
        return missing, {name: known.get(name, "unknown") for name in same}

    return probe


def _call(function, threads: int, *arguments) -> tuple[object, float, str]:
    import ray

    from residual_ensembles import backend

    backend.configure(threads)
    steps = []
    result = function(*arguments, steps.append)
    node = ray.get_runtime_context().get_node_id()
    return result, sum(steps), _title(platform.node(), node)


def _title(host: str, node_id: str) -> str:
    """Returns what a node is called: a machine may be several."""
    return f"{host}-{node_id[:6]}"


def _rooms(resources: dict, wanted: dict) -> int:
    """Returns how many tasks have room in the resources of a node."""
    return min(int(resources.get(name, 0) // n) for name, n in wanted.items() if n)


def _unusable(node: str, why: str) -> str:
    return (
        f"The Ray node {node} cannot run the project's code: {why.rstrip('.')}; expected the "
        f"packages that it needs: install them there, or set {REQUIREMENTS}=requirements.txt and "
        "Ray does."
    )


def _cause(error: BaseException) -> BaseException:
    return getattr(error, "cause", None) or error


def _one_line(error: object) -> str:
    text = " ".join(str(error).split())
    return text if text.endswith(".") else f"{text}."


def _listed(values: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
