"""How cost grows with the number of modules.

    python benchmarks/scaling.py --json

ResNets of 9 to 198 modules, pictures of 32×32. For each: the time to build the network and to have
it ready for lesions (every module compiled and run once), one training step at batch 128, a sweep
of all single deletions by the engine and by the reference, and the peak memory of the process,
which has met only smaller networks before. `ratio` is the reference's time by the engine's, for
the sweep; the rows `exponent_…` give the slope of log time over log n as `ratio`.

The reference runs n − 1 modules for each of n lesions. So does the engine, less what comes before
the lesion: n²/2 modules and one passage through all of them. Both sweeps grow with n²; what is
saved is half of it, whatever n. The reference is the network compiled module by module, timed on
three lesions and multiplied up: compiled whole, 198 modules would take minutes for each lesion.
About 15 minutes on two cores.
"""

import resource
import time

import numpy as np
from absl import app, flags
from side_by_side import progress, report, seconds

from residual_ensembles import backend, lesions, models
from residual_ensembles.lesions.evaluator import Evaluator
from residual_ensembles.lesions.reference import CompiledParts
from residual_ensembles.training import Trainer, compile_trainer

FLAGS = flags.FLAGS
flags.DEFINE_bool("json", False, "one JSON object per line")
flags.DEFINE_list("modules", ["9", "18", "27", "54", "99", "198"], "modules of the networks")
flags.DEFINE_integer("pictures", 32, "pictures of a sweep", 1)
flags.DEFINE_integer("batch_size", 128, "pictures in a training step", 1)

SHAPE, CLASSES = (32, 32, 3), 10
REFERENCE_BATCH = 128
TIMED_LESIONS = 3
BASELINE = "one evaluation per lesion"


def build(n: int, pictures: np.ndarray):
    """Returns a network of n modules with batch-norm statistics of the pictures."""
    chain = models.build("resnet", 2 * n + 2, SHAPE, CLASSES, [125.0] * 3, [60.0] * 3)
    lesions.reestimate_batch_norm(chain, pictures)
    return chain


def training_step(chain, pictures: np.ndarray, labels: np.ndarray) -> float:
    """Returns the seconds of one training step, after one that compiles."""
    trainer = Trainer(chain)
    compile_trainer(trainer, 1e-3, 1e-4)

    def batch():
        yield {"pictures": pictures}, labels

    def step() -> None:
        trainer.fit(batch(), steps_per_epoch=1, verbose=0, shuffle=False)

    step()
    return min(seconds(step) for _ in range(2))


def reference_sweep(chain, plan, pictures: np.ndarray, n_pictures: int) -> float:
    """Returns the seconds of a sweep by the reference, from a few of its lesions."""
    network = CompiledParts(chain)
    some = [plan[i].lesion for i in np.linspace(0, len(plan) - 1, TIMED_LESIONS).astype(int)]

    def evaluate() -> None:
        for lesion in some:
            network(lesion, pictures)

    evaluate()
    each = min(seconds(evaluate) for _ in range(2)) / len(some) / len(pictures)
    return each * len(plan) * n_pictures


def measure(n: int) -> dict[str, float]:
    """Returns the seconds of each thing that is measured on a network of n modules."""
    progress(f"{n} modules")
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (REFERENCE_BATCH, *SHAPE)).astype(np.uint8)
    few = pictures[: FLAGS.pictures]
    labels = random.integers(0, CLASSES, len(pictures)).astype("int32")
    start = time.perf_counter()
    chain = build(n, pictures)
    plan = lesions.single_deletions(lesions.deletable(chain))
    evaluator = Evaluator(chain, [row.lesion for row in plan], len(few))
    evaluator.logits(few, lesions=[n - 1])
    prepared = time.perf_counter() - start
    evaluator.logits(few)  # compiles what batches of other sizes need
    engine = seconds(lambda: evaluator.logits(few))
    return {
        "build_and_trace": prepared,
        "engine_sweep": engine,
        "reference_sweep": reference_sweep(chain, plan, pictures, len(few)),
        "training_step": training_step(chain, pictures[: FLAGS.batch_size], labels),
    }


def tell(name: str, value: float, baseline: str, **more) -> None:
    rounded = {k: round(v, 3) if isinstance(v, float) else v for k, v in more.items()}
    report(name, round(value, 3), baseline, 1, FLAGS.json, **rounded)


def main(_):
    backend.configure()
    sizes = sorted(map(int, FLAGS.modules))
    found = []
    for n in sizes:
        times = measure(n)
        found.append(times)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        faster = times["reference_sweep"] / times["engine_sweep"]
        tell(f"single_deletion_n{n}", faster, BASELINE, peak_bytes=peak, **times)
    for name in found[0] if len(sizes) > 1 else ():
        slope = np.polyfit(np.log(sizes), np.log([times[name] for times in found]), 1)[0]
        tell(f"exponent_{name}", float(slope), "log seconds over log modules")


if __name__ == "__main__":
    app.run(main)
