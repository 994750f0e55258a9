"""Parallel training, for the stages `train` and `ensemble`.

Each training is a task: a process with its share of the processors of this machine, or on a node of
a cluster (`residual_ensembles.runtime`). Its state is under `.checkpoints` by all that determines
the result, so that any program resumes an interrupted training and finds a finished one.
"""

import contextlib
import io
import math
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipelines.study import Study
from residual_ensembles import backend, data, models, runtime, stages, training
from residual_ensembles.backend.threads import THREADS, configured_threads, processors
from residual_ensembles.parameters import ExternalNetwork
from residual_ensembles.storage import checkpoints
from residual_ensembles.training.settings import Settings

MAPS_PER_CONVOLUTION = 6
"""Feature maps in memory for each convolution, of the size of its output: normalized, rectified and
convolved, and at worst the gradient of each."""
COPIES_OF_WEIGHTS = 4
"""Weights, gradients, momentum, and a checkpoint that is being written."""
WEIGHT_BYTES = 4
"""Of float32, whatever the precision of the computation."""
MIN_BYTES = 2**30
"""Memory of the evaluation between epochs, however small the network."""
NUMBER_BYTES = {"float32": 4, "mixed_bfloat16": 2}
"""Bytes of a computed number, by precision."""


class PlannedRun(NamedTuple):
    """One network to train, or one external network."""

    network: str
    """Name in tables."""
    seed: int
    spec: Settings | ExternalNetwork
    folder: Path
    """Folder of its results, relative to that of the project."""


def train_side_by_side(study: Study, runs: Sequence[PlannedRun]) -> list[dict]:
    """Trains networks in parallel, and returns the run.json of each.

    The number of threads depends on the number of runs and of processors, not on what is finished:
    another number of threads changes results by rounding.

    Raises:
        ValueError: One cannot be trained; progress of the others is kept.
        OSError: A process was killed, or a task of a cluster failed repeatedly.
    """
    data.load(study.prepared)  # raises errors before a process is started
    # Absolute, for tasks run in folders of their own on a cluster.
    where = Path.cwd(), checkpoints.folder().absolute()
    tasks = [
        runtime.Task(run.folder.name, train_one, lambda run=run: (run, study.prepared, *where))
        for run in runs
    ]
    on_cluster = runtime.choose_engine() == "ray"
    memory_bytes = largest_training_bytes(study) if on_cluster else 0
    threads = 1 if on_cluster else max(1, processors() // len(runs))
    with _threads(threads), runtime.choose_executor(show=True) as chosen:
        if isinstance(chosen, runtime.Serial):
            backend.configure()  # others do so in their processes, once
        result = chosen.run(tasks, memory_bytes=memory_bytes)
        print(chosen.summary())
    return result


def largest_training_bytes(study: Study) -> int:
    """Returns the memory of the largest training, beside Python, libraries and images."""
    prepared, train = data.load(study.prepared), study.train
    kinds = {(own.model, own.depth) for own in study.trained.values()}
    if study.ensemble.members:
        kinds.add(("resnet", study.ensemble.depth))
    chains = (
        models.build(
            model,
            depth,
            prepared.image_shape,
            prepared.n_classes,
            prepared.mean,
            prepared.std,
            dtype=train.precision,
        )
        for model, depth in sorted(kinds)
    )
    number = NUMBER_BYTES[train.precision]
    each = (training_bytes(chain, train.batch_size, number) for chain in chains)
    return max(each, default=MIN_BYTES)


def training_bytes(chain, batch_size: int, number_bytes: int = 4) -> int:
    """Returns an estimate of the memory of training, beside Python, libraries and images."""
    maps = sum(
        math.prod(shape[:-1]) * variable.shape[-1]
        for module, shape in zip(chain.modules, chain.shapes[1:], strict=True)
        for variable in module.variables
        if len(variable.shape) > 1
    )
    weights = COPIES_OF_WEIGHTS * WEIGHT_BYTES * chain.count_params()
    activations = MAPS_PER_CONVOLUTION * maps * batch_size * number_bytes
    return max(MIN_BYTES, activations + weights)


@contextlib.contextmanager
def _threads(n: int):
    """Sets the number of threads of tasks, unless the environment does."""
    if configured_threads() is not None:
        yield
        return
    os.environ[THREADS] = str(n)
    try:
        yield
    finally:
        del os.environ[THREADS]


def train_one(
    run: PlannedRun, prepared: Path, project: Path, checkpoint_dir: Path, advance
) -> dict:
    """Trains one network, unless it is finished, and returns its run.json.

    Raises:
        ValueError: It cannot be trained.
        FileNotFoundError: This node does not reach the folder of the project.
    """
    if not project.is_dir():
        raise FileNotFoundError(
            f"The node {platform.node()} does not reach {project}, expected a folder on storage "
            "that all nodes have under that name."
        )
    with contextlib.chdir(project), contextlib.redirect_stdout(Prefixed(run.folder.name)):
        try:
            result = _trained(run, data.load(prepared), checkpoint_dir)
        except ValueError as error:
            raise ValueError(f"{run.folder.name}: {error}") from error
    advance(1)
    return result


def _trained(run: PlannedRun, prepared: data.Prepared, checkpoint_dir: Path) -> dict:
    if isinstance(run.spec, Settings):
        return training.train(prepared, run.spec, run.folder, checkpoint_dir, run.network)
    outputs = training.Outputs(run.folder)
    return stages.write_external_run(prepared, run.spec, run.seed, outputs, run.network)


class Prefixed(io.TextIOBase):
    """Prints each line behind a name, which distinguishes trainings that run at once."""

    def __init__(self, name: str):
        self.name = name
        self.stdout = sys.stdout
        self.begun = ""

    def write(self, text: str) -> int:
        *lines, self.begun = (self.begun + text).split("\n")
        for line in lines:
            self.stdout.write(f"{self.name}: {line.rstrip()}\n")
        self.stdout.flush()
        return len(text)
