"""Networks trained side by side: what the stages `train` and `ensemble` have in common.

Each training is a task: a process with its share of the processors on this machine, or a node of a
cluster that has room for it (`residual_ensembles.runtime`). Its state lies under `.checkpoints` by
all that determines the result, so that an interrupted one goes on where it was and a finished one
is found, whichever program asks for it.
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
from residual_ensembles.backend.threads import THREADS, given_threads, processors
from residual_ensembles.parameters import ExternalNetwork
from residual_ensembles.storage import checkpoints
from residual_ensembles.training.settings import Settings

MAPS_OF_CONVOLUTION = 6
"""Feature maps that are there for each convolution at the end of the forward pass, of its output's
size: normalized, rectified and convolved, and the gradient of each at the worst."""
COPIES_OF_WEIGHTS = 4
"""Weights, gradients, momentum, and a checkpoint on its way to the disk."""
WEIGHT_BYTES = 4
"""In float32, whatever is computed in."""
LEAST_BYTES = 2**30
"""What evaluating between epochs takes, however small the network."""
NUMBER_BYTES = {"float32": 4, "mixed_bfloat16": 2}
"""By precision."""


class Run(NamedTuple):
    """One network to be trained, or one that is brought along, to be taken apart."""

    network: str
    """Its name in tables."""
    seed: int
    what: Settings | ExternalNetwork
    folder: Path
    """Of its results, below the project's folder."""


def train_side_by_side(study: Study, runs: Sequence[Run]) -> list[dict]:
    """Trains networks, as many at once as there are processors for, and returns each run.json.

    Threads depend on the number of runs and of processors alone, not on what is finished already:
    another number of threads is another result, to rounding.

    Args:
        study: What they are part of.
        runs: What to train, at least one.

    Raises:
        ValueError: One cannot be trained; what the others have done is kept.
        OSError: A process was killed, or failed again and again.
    """
    data.load(study.prepared)  # refuses what is not there, before a process is started
    # Absolute, for tasks run in folders of their own on a cluster.
    where = Path.cwd(), checkpoints.folder().absolute()
    tasks = [
        runtime.Task(run.folder.name, train_one, lambda run=run: (run, study.prepared, *where))
        for run in runs
    ]
    on_cluster = runtime.choose_engine() == "ray"
    memory_bytes = most_bytes(study) if on_cluster else 0
    threads = 1 if on_cluster else max(1, processors() // len(runs))
    with _threads(threads), runtime.choose_executor(show=True) as chosen:
        if isinstance(chosen, runtime.Serial):
            backend.configure()  # others do so in their processes, once
        result = chosen.run(tasks, memory_bytes=memory_bytes)
        print(chosen.summary())
    return result


def most_bytes(study: Study) -> int:
    """Returns what the largest training takes, beside Python, the libraries and the images.

    Args:
        study: The study.

    Raises:
        ValueError: Its images are not prepared.
    """
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
    return max(each, default=LEAST_BYTES)


def training_bytes(chain, batch_size: int, number_bytes: int = 4) -> int:
    """Returns what training may take, beside Python, the libraries and the images: by shapes alone.

    Args:
        chain: The network.
        batch_size: Images in a step.
        number_bytes: Of a number that is computed: 4 in float32, 2 in bfloat16.
    """
    maps = sum(
        math.prod(shape[:-1]) * variable.shape[-1]
        for module, shape in zip(chain.modules, chain.shapes[1:], strict=True)
        for variable in module.variables
        if len(variable.shape) > 1
    )
    weights = COPIES_OF_WEIGHTS * WEIGHT_BYTES * chain.count_params()
    activations = MAPS_OF_CONVOLUTION * maps * batch_size * number_bytes
    return max(LEAST_BYTES, activations + weights)


@contextlib.contextmanager
def _threads(n: int):
    """Gives tasks `n` threads, unless the environment says how many."""
    if given_threads() is not None:
        yield
        return
    os.environ[THREADS] = str(n)
    try:
        yield
    finally:
        del os.environ[THREADS]


def train_one(run: Run, prepared: Path, project: Path, kept: Path, advance) -> dict:
    """Trains one network, or finds it finished, and returns what is in its run.json.

    Args:
        run: What to train.
        prepared: Folder of the prepared data.
        project: Folder of the project.
        kept: Folder of the checkpoints.
        advance: Called with 1 at the end.

    Raises:
        ValueError: It cannot be trained.
        FileNotFoundError: The project is not there.
    """
    if not project.is_dir():
        raise FileNotFoundError(
            f"The node {platform.node()} does not reach {project}, expected a folder on storage "
            "that all nodes have under that name."
        )
    with contextlib.chdir(project), contextlib.redirect_stdout(Named(run.folder.name)):
        try:
            result = _trained(run, data.load(prepared), kept)
        except ValueError as error:
            raise ValueError(f"{run.folder.name}: {error}") from error
    advance(1)
    return result


def _trained(run: Run, prepared: data.Prepared, kept: Path) -> dict:
    if isinstance(run.what, Settings):
        return training.train(prepared, run.what, run.folder, kept, run.network)
    place = training.Outputs(run.folder)
    return stages.write_external_run(prepared, run.what, run.seed, place, run.network)


class Named(io.TextIOBase):
    """Prints each line behind a name, so that those who print at once can be told apart.

    Args:
        name: The name.
    """

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
