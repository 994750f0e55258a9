"""What it costs to begin: a program, a worker process, a task of a study.

    python benchmarks/starting.py --json

Seconds on the wall and of all processors, medians over the rounds, each in a fresh process, with
the files that Python reads in memory. A worker is started as `lesions` and `paths` start theirs,
with one thread; `worker` is until it has imported what a task needs. The others are of a
ResNet-110 for images of 8×8, as the default study has it: `build` draws one anew, `load` reads it
from its file, and the rest is timed twice, for the first call, which traces, and for the second:
`lesions` all single deletions of a few images, `paths` the exact decomposition of a batch,
`training` one step. What tracing costs is the difference. Two minutes on two cores.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from absl import app, flags
from joblib.externals.loky import ProcessPoolExecutor
from side_by_side import (
    FLAGS,
    USERS_ENVIRONMENT,
    Cost,
    announce,
    cost,
    emit,
    median,
    progress,
)

FLAGS.set_default("rounds", 3)
flags.DEFINE_integer("depth", 110, "layers of the ResNet: 6n+2", 8)
flags.DEFINE_integer("batch_size", 16, "images of a task", 1)

SHAPE, CLASSES = (8, 8, 1), 10
PROGRAMS = {
    "python": ["-c", "pass"],
    "import": ["-c", "import residual_ensembles"],
    "help": ["-m", "residual_ensembles.train", "--help"],
}


def program(arguments: list[str]) -> Cost:
    """Returns what a program of Python takes from its start to its end."""
    wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(  # noqa: S603 - our own
        [sys.executable, *arguments], env=USERS_ENVIRONMENT, stdout=subprocess.DEVNULL, check=True
    )
    wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def worker() -> Cost:
    """Returns what it takes until a worker process is ready for its first task."""
    begin = time.perf_counter()
    with ProcessPoolExecutor(1, timeout=None) as pool:
        cpu = pool.submit(imports).result()
        return Cost(time.perf_counter() - begin, cpu)


def imports() -> float:
    """Imports what tasks need; returns the processor seconds of this process so far."""
    from residual_ensembles import backend, lesions, models, paths  # noqa: F401

    backend.configure(1)
    return time.process_time()


def in_worker(function: Callable, *arguments) -> list[Cost]:
    """Returns what a function returns in a worker process of its own that is ready."""
    with ProcessPoolExecutor(1, timeout=None, initializer=imports) as pool:
        return pool.submit(function, *arguments).result()


def build(path: str, depth: int, images: np.ndarray) -> list[Cost]:
    """Builds a network, and leaves it in a file."""
    from residual_ensembles import models

    chains = []
    arguments = "resnet", depth, images.shape[1:], CLASSES, [125.0], [60.0]
    taken = cost(lambda: chains.append(models.build(*arguments)))
    Path(path).write_bytes(models.to_bytes(chains[0]))
    return [taken]


def load(path: str, *_) -> list[Cost]:
    """Loads the network."""
    from residual_ensembles import models

    return [cost(lambda: models.load(path))]


def lesion_task(path: str, _, images: np.ndarray) -> list[Cost]:
    """Evaluates all single deletions, twice."""
    from residual_ensembles import lesions, models
    from residual_ensembles.lesions.engine.evaluator import SweepSpec

    chain = models.load(path)
    plan = lesions.single_deletions(lesions.deletable(chain))
    evaluator = SweepSpec(chain, [each.lesion for each in plan], len(images)).evaluator
    return [cost(lambda: evaluator.logits(images)) for _ in range(2)]


def path_task(path: str, _, images: np.ndarray) -> list[Cost]:
    """Decomposes the gradient of a batch by path length, twice."""
    from residual_ensembles import models, paths

    linearization = paths.Linearization(models.load(path))
    images, labels = images.astype("float32"), np.arange(len(images)) % CLASSES
    return [
        cost(lambda: paths.batch_gradient_by_length(linearization.linearize(images, labels)))
        for _ in range(2)
    ]


def training_step(path: str, _, images: np.ndarray) -> list[Cost]:
    """Takes a step of training, twice."""
    from our_resnet import training_steps

    from residual_ensembles import models

    labels = np.arange(len(images), dtype="int32") % CLASSES
    step = training_steps(models.load(path), images, labels)
    return [cost(step) for _ in range(2)]


def measure(name: str, work: Callable[[], list[Cost]]) -> None:
    """Measures one row and prints it."""
    progress(name)
    calls = [median(each) for each in zip(*(work() for _ in range(FLAGS.rounds)), strict=True)]
    fields = ("seconds", "cpu_seconds", "seconds_again", "cpu_seconds_again")
    seconds = [round(value, 3) for call in calls for value in call]
    more = dict(zip(fields, seconds, strict=False))
    text = f"{name:16}" + "".join(f"{value:13.2f}" for value in seconds)
    emit({"name": name, "n": FLAGS.rounds, **more}, text)


def main(_):
    announce("everything runs under our settings")
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (FLAGS.batch_size, *SHAPE)).astype("uint8")
    if not FLAGS.json:
        columns = "wall, s", "processor, s", "again, wall", "processor"
        print(" " * 16 + "".join(f"{column:>13}" for column in columns))
    program(PROGRAMS["import"])  # brings files into memory
    for name, arguments in PROGRAMS.items():
        measure(name, lambda arguments=arguments: [program(arguments)])
    measure("worker", lambda: [worker()])
    with tempfile.TemporaryDirectory() as folder:
        arguments = str(Path(folder, "model.keras")), FLAGS.depth, images
        for name, function in TASKS.items():
            measure(name, lambda function=function: in_worker(function, *arguments))


TASKS = {
    "build": build,
    "load": load,
    "lesions": lesion_task,
    "paths": path_task,
    "training": training_step,
}

if __name__ == "__main__":
    app.run(main)
