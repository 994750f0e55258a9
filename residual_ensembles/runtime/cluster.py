"""Tasks on a Ray cluster, at RAY_ADDRESS: all that the project knows of Ray.

Ray's `runtime_env` sends the code of a task, its object store sends networks and images.
RESIDUAL_ENSEMBLES_REQUIREMENTS may name a file of requirements that Ray installs on the nodes;
without it, their Python has to have them.
"""

import logging
import math
import os
import platform
import socket
import time
from collections import Counter, defaultdict, deque
from pathlib import Path
from urllib.parse import urlsplit

from residual_ensembles.arguments import see
from residual_ensembles.backend import choice, extras, process
from residual_ensembles.backend.threads import THREADS, task_threads
from residual_ensembles.runtime.executor import TASK_BYTES, Executor, Task, ignore
from residual_ensembles.storage import checkpoints, provenance
from residual_ensembles.storage.imports import LIBRARY

ADDRESS = "RAY_ADDRESS"
"""Ray's own environment variable; without it, Ray looks on this machine, or starts there."""
REQUIREMENTS = "RESIDUAL_ENSEMBLES_REQUIREMENTS"
"""The environment variable with a file of requirements that Ray installs on the nodes."""
MAX_FAILURES = 3
"""Failures of one task after which the run is stopped."""
NODE_DEATH = 0.25
"""Failures that the death of a node counts as: its owner may have ended it, but a task that kills
node after node is not tried forever."""
TASKS_PER_SLOT = 2
"""Tasks submitted for each that can run, so that a node that finishes one has the next there."""
SECONDS_BETWEEN_CHECKS = 5.0
"""Seconds between two checks of which nodes there are."""
CONNECTION_SECONDS = 10.0
"""Longest time that a head node may take to answer."""
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
SENT_VARIABLES = ("KERAS_HOME", THREADS, process.ALLOCATOR, process.ONEDNN, process.MAX_CPU_ISA)
"""Environment variables of the driver that hold for tasks too."""


class Ray(Executor):
    """Runs tasks on the nodes of a Ray cluster.

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
        self.ray = _import_ray()
        self.options: dict = {}
        """Options of each task, as Ray's remote functions take them."""
        self.resources: dict = {}
        """Resources of each task: CPU, GPU and memory."""
        self.limit, self.last_check = 1, -math.inf
        self.seen: set[str] = set()
        self.probed: dict[str, tuple] = {}
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
        address, environment = os.environ.get(ADDRESS) or "this machine", _runtime_env()
        try:
            self.ray.init(runtime_env=environment, log_to_driver=show, logging_level=logging.ERROR)
        except (RuntimeError, ConnectionError, ValueError) as error:
            self.close()
            if "ersion mismatch" in str(error):
                raise OSError(
                    f"The Ray cluster at {address} has another version: {_one_line(error)} Expected"
                    f" Ray {self.ray.__version__} and Python {platform.python_version()}, as here."
                ) from error
            raise OSError(
                f"The Ray cluster at {address} cannot be used ({_one_line(error)}), expected the "
                f"address of a running one in {ADDRESS}: ray start --head prints it."
            ) from error

    def _check_nodes(self) -> None:
        """Checks every node that has processors, before any task is sent.

        Raises:
            OSError: There is none, or one cannot run the project's code.
        """
        nodes = self._nodes()
        if not nodes:
            raise OSError("The Ray cluster has no node with processors, expected at least one.")
        self._probe(nodes)
        for node in nodes:
            if problem := self._problem(node["NodeID"]):
                raise OSError(problem)

    def _probe(self, nodes: list[dict]) -> None:
        """Asks nodes which packages they have; until they answer, no task is sent to them."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        remote = self.ray.remote(num_cpus=0, max_retries=1)(_packages_function())
        backend = choice.chosen()
        for node in nodes:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            answer = remote.options(scheduling_strategy=there).remote(
                (*NEEDED, "keras", backend), ("keras", backend)
            )
            name = _node_name(node["NodeManagerHostname"], node["NodeID"])
            self.probed[node["NodeID"]] = name, answer
            self.seen.add(node["NodeID"])

    def _problem(self, node_id: str) -> str | None:
        """Waits for the answer of a node, and returns why it cannot be used, or None."""
        name, answer = self.probed.pop(node_id)
        errors = self.ray.exceptions
        # A node that died counts as alive for a while: no task runs there, and the run goes on.
        died = errors.TaskUnschedulableError, errors.NodeDiedError, errors.LocalRayletDiedError
        try:
            missing, versions = self.ray.get(answer)
        except died:
            return None
        except errors.RayError as error:
            return _unusable(name, _one_line(_cause(error)))
        if missing:
            return _unusable(name, f"it has no {', '.join(missing)}")
        _, here = _packages_function()((), tuple(versions))
        if versions != here:
            return f"The Ray node {name} has {_listed(versions)}, expected as here {_listed(here)}."
        return None

    def _check_new_nodes(self, nodes: list[dict]) -> None:
        """Probes nodes that have joined, and excludes those that cannot be used, or not yet."""
        self._probe([node for node in nodes if node["NodeID"] not in self.seen])
        for node_id, (_, answer) in list(self.probed.items()):
            if self.ray.wait([answer], timeout=0)[0] and (problem := self._problem(node_id)):
                print(f"{problem} It is left out.", flush=True)
                self.unusable.add(node_id)
        excluded = sorted(self._excluded)
        self.options["label_selector"] = {NODE_ID: f"!in({','.join(excluded)})"} if excluded else {}

    @property
    def _excluded(self) -> set[str]:
        return {*self.probed, *self.unusable}

    def _nodes(self) -> list[dict]:
        nodes = self.ray.nodes()
        return [node for node in nodes if node["Alive"] and node["Resources"].get("CPU")]

    def scatter(self, value):
        return self.ray.put(value)

    def run(self, tasks, advance=ignore, finished=ignore, memory_bytes=0):
        self._set_task_resources(memory_bytes + TASK_BYTES)
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

    def _set_task_resources(self, task_bytes: int) -> None:
        """Sets what each task takes.

        Raises:
            OSError: No node has as much.
        """
        nodes = [node["Resources"] for node in self._nodes()]
        on_gpu = choice.chosen() == "jax" and any(node.get("GPU") for node in nodes)
        cpu, gpu = task_threads(), int(on_gpu)
        self.options = {"num_cpus": cpu, "num_gpus": gpu, "memory": task_bytes}
        self.resources = {"CPU": cpu, "GPU": gpu, "memory": task_bytes}
        self.last_check = -math.inf
        if not any(_n_tasks(node, self.resources) for node in nodes):
            raise OSError(
                f"No node of the Ray cluster has what a task takes: {_listed(self.resources)}, "
                "expected fewer RESIDUAL_ENSEMBLES_THREADS, less memory (lesion.memory_mib), or "
                "larger nodes."
            )

    def max_in_flight(self) -> int:
        """Returns how many tasks may be submitted and unfinished at a time."""
        if time.monotonic() > self.last_check + SECONDS_BETWEEN_CHECKS:
            nodes = self._nodes()
            self._check_new_nodes(nodes)
            usable = [node for node in nodes if node["NodeID"] not in self._excluded]
            n_tasks = sum(_n_tasks(node["Resources"], self.resources) for node in usable)
            self.last_check, self.limit = time.monotonic(), max(1, TASKS_PER_SLOT * n_tasks)
        return self.limit

    def _submit(self, task: Task):
        call = self.call.options(name=task.name, **self.options)
        return call.remote(task.function, task_threads(), *task.arguments())

    def close(self):
        self.ray.shutdown()


class Attempts:
    """Counts how often tasks failed, and decides which of them are tried again."""

    def __init__(self, exceptions):
        self.exceptions = exceptions
        self.n_times: Counter[int] = Counter()
        self.counted: defaultdict[int, float] = defaultdict(float)
        """Failures of each task, where a node that died counts as `NODE_DEATH`."""

    def failed(self, name: str, index: int, error: Exception) -> None:
        """Raises the error that a task failed with, unless it shall be tried again."""
        if not isinstance(error, self.exceptions.RayError):
            raise error
        died = isinstance(error, self.exceptions.NodeDiedError)
        self.n_times[index] += 1
        self.counted[index] += NODE_DEATH if died else 1.0
        if self.counted[index] >= MAX_FAILURES:
            cause = _cause(error)
            raise OSError(
                f"{name}: failed {self.n_times[index]} times, at last with {type(cause).__name__}: "
                f"{_one_line(cause)} What was finished is kept; start again to go on from there."
            ) from error


def _import_ray():
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
        socket.create_connection((parts.hostname or "", port), CONNECTION_SECONDS).close()
    except (OSError, ValueError) as error:
        raise OSError(
            f"Received {ADDRESS}={address}, where no Ray cluster answers ({error}), expected "
            "HOST:PORT of a running head node, as ray start --head prints it. "
            + see("how-to/cluster")
        ) from None


def _runtime_env() -> dict:
    """Returns what Ray sends to the nodes: this code, and packages if they are asked for."""
    modules = [str(LIBRARY)]
    if (LIBRARY.parent / "pipelines" / "study.py").is_file():
        modules.append(str(LIBRARY.parent / "pipelines"))
    variables = {name: os.environ[name] for name in SENT_VARIABLES if name in os.environ}
    variables["KERAS_BACKEND"] = choice.chosen()  # here a file may say it
    variables[provenance.REVISION] = provenance.revision()
    if checkpoints.VARIABLE in os.environ:  # tasks run in folders of their own
        variables[checkpoints.VARIABLE] = str(checkpoints.folder().absolute())
    environment = {"py_modules": modules, "env_vars": variables}
    if requirements := os.environ.get(REQUIREMENTS):
        if not Path(requirements).is_file():
            raise ValueError(
                f"Received {REQUIREMENTS}={requirements}, which is not there, expected a file such "
                "as requirements.txt."
            )
        environment["pip"] = requirements
    return environment


def _packages_function():
    """Returns a function that is pickled by value, for a node that cannot import this file."""

    def packages(needed: tuple, same: tuple) -> tuple[list, dict]:
        """Returns which modules a node lacks, and the versions of some packages there."""
        from importlib import metadata, util

        missing = [name for name in needed if util.find_spec(name) is None]
        known = {each.metadata["Name"]: each.version for each in metadata.distributions()}
        return missing, {name: known.get(name, "unknown") for name in same}

    return packages


def _call(function, threads: int, *arguments) -> tuple[object, float, str]:
    import ray

    from residual_ensembles import backend

    backend.configure(threads)
    steps: list[float] = []
    result = function(*arguments, steps.append)
    node = ray.get_runtime_context().get_node_id()
    return result, sum(steps), _node_name(platform.node(), node)


def _node_name(host: str, node_id: str) -> str:
    """Returns the name of a node; one machine may be several."""
    return f"{host}-{node_id[:6]}"


def _n_tasks(resources: dict, needed: dict) -> int:
    """Returns how many tasks fit in the resources of a node."""
    return min(int(resources.get(name, 0) // n) for name, n in needed.items() if n)


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
