"""How cost grows with the number of modules.

    python benchmarks/scaling.py --json

ResNets of 9 to 198 modules, images of 32×32. For each: the time to build the network and to have
it ready for lesions (every module compiled and run once), one training step at batch 128, a sweep
of all single deletions by the engine and by the reference, and the peak memory of the process,
which has met only smaller networks before. `ratio` is the reference's time by the engine's, for
the sweep; the rows `exponent_…` give the slope of log time over log n.

The reference runs n − 1 modules for each of n lesions. So does the engine, less what comes before
the lesion: n²/2 modules and one passage through all of them. Both sweeps grow with n²; what is
saved is half of it, whatever n. The reference is the network compiled module by module, timed on
three lesions and multiplied up: compiled whole, 198 modules would take minutes for each lesion.
Of the rounds the fastest counts. Everything runs under our settings. About 15 minutes on two cores.
"""

import resource

import numpy as np
from absl import app, flags
from our_resnet import random_network, training_steps
from side_by_side import BOTH_OURS, FLAGS, Cost, announce, cost, progress, ratio, report

from residual_ensembles import backend, lesions
from residual_ensembles.lesions.engine.evaluator import SweepSpec
from residual_ensembles.lesions.engine.reference import CompiledParts

FLAGS.set_default("rounds", 2)
flags.DEFINE_list("modules", ["9", "18", "27", "54", "99", "198"], "modules of the networks")
flags.DEFINE_integer("images", 32, "images of a sweep", 1)
flags.DEFINE_integer("batch_size", 128, "images in a training step", 1)

REFERENCE_BATCH = 128
TIMED_LESIONS = 3
BASELINE = "one evaluation per lesion"


def reference_sweep(chain, plan, images: np.ndarray, n_images: int) -> Cost:
    """Returns what is taken by a sweep by the reference, from a few of its lesions."""
    network = CompiledParts(chain)
    some = [plan[i].lesion for i in np.linspace(0, len(plan) - 1, TIMED_LESIONS).astype(int)]

    def evaluate() -> None:
        for lesion in some:
            network(lesion, images)

    evaluate()
    some_of_all = len(some) * len(images)
    return min(cost(evaluate) for _ in range(FLAGS.rounds)).times(
        len(plan) * n_images / some_of_all
    )


def measure(n: int) -> dict[str, Cost]:
    """Returns what is taken by each thing that is measured on a network of n modules."""
    progress(f"{n} modules")

    def prepare() -> tuple:
        chain, images, labels = random_network(2 * n + 2, REFERENCE_BATCH)
        plan = lesions.single_deletions(lesions.deletable(chain))
        evaluator = SweepSpec(chain, [row.lesion for row in plan], FLAGS.images).evaluator
        evaluator.logits(images[: FLAGS.images], lesions=[n - 1])
        return chain, images, labels, plan, evaluator

    prepared = []
    build_and_trace = cost(lambda: prepared.extend(prepare()))
    chain, images, labels, plan, evaluator = prepared
    few = images[: FLAGS.images]
    evaluator.logits(few)  # compiles what batches of other sizes need
    step = training_steps(chain, images[: FLAGS.batch_size], labels[: FLAGS.batch_size])
    step()  # compiles
    return {
        "build_and_trace": build_and_trace,
        "engine_sweep": min(cost(lambda: evaluator.logits(few)) for _ in range(FLAGS.rounds)),
        "reference_sweep": reference_sweep(chain, plan, images, len(few)),
        "training_step": min(cost(step) for _ in range(FLAGS.rounds)),
    }


def peak_bytes() -> int:
    """Returns the most memory that the process has taken so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def exponent(sizes: list[int], values: list[float]) -> dict[str, float]:
    """Returns the slope of the line through the logarithms."""
    return {"exponent": float(np.polyfit(np.log(sizes), np.log(values), 1)[0])}


def main(_):
    announce(BOTH_OURS)
    backend.configure()
    sizes = sorted(map(int, FLAGS.modules))
    result, peaks, start = [], [], peak_bytes()
    for n in sizes:
        costs = measure(n)
        result.append(costs)
        faster = ratio([costs["reference_sweep"]], [costs["engine_sweep"]])
        more = {name: taken.wall for name, taken in costs.items()}
        more["peak_bytes"] = peak_bytes() - start
        peaks.append(more["peak_bytes"])
        report(f"single_deletion_n{n}", faster, BASELINE, 1, **more)
    for name in result[0] if len(sizes) > 1 else ():
        slope = exponent(sizes, [costs[name].wall for costs in result])
        report(f"exponent_{name}", None, "log seconds over log modules", 1, **slope)
    if len(sizes) > 1:
        slope = exponent(sizes, peaks)
        report("exponent_peak_bytes", None, "log bytes over log modules", 1, **slope)


if __name__ == "__main__":
    app.run(main)
