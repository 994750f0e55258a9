"""How many times faster the lesion engine is than one full evaluation for each lesion.

    python benchmarks/lesions.py --json

ResNet-110, images of 32×32, two cores, side by side in one process, both under our settings. The
bfloat16 and cascade rows are left out where the processor has no bfloat16. The reference is the
full network compiled in float32 for one lesion, deleted modules left out, at its best batch size,
where images are repeated if a sweep has fewer; it is timed on a few lesions of each plan
and multiplied up to all of them, before and after each sweep of the engine, which is timed on all.
Compiling is left out on both sides (the reference's takes seconds for each lesion). `ratio` is the
median over the rounds; `cpu_ratio` is the same in processor seconds, which other programs on the
machine disturb less.

Weights are random, batch-norm statistics those of the images; residuals are small beside the skip
and the last layer is fitted to ten classes of images, so that logits lie as far apart as a
trained network's. For `single_deletion_margin` the outcomes are the paper's authors': 10,000
images, the error of each lesion as they published it, with one percent of the images becoming
right. A cascade's sample of 128 images counts as in a sweep of 10,000; they are not the images
that are evaluated, so that `changed`, all its predictions that are not those of float32, says what
the cascade is worth. `shared` says how many times as often modules would run, lesion by lesion;
`share_of_peak` sets the multiply-adds of the modules that a sweep in float32 computes against what
a product of large matrices reaches. The row `single_deletion_convolutions_only` says what sharing
could reach if all but the convolutions were free. `application_resnet50v2_single_deletion` is
ResNet50V2 of `keras.applications` as `unravel` splits it, 224×224; its sixteen modules allow about
1.8.
An hour and a half on two cores; `--rounds=1` takes forty minutes.
"""

import residual_ensembles  # noqa: F401 - makes our settings; TensorFlow comes after
from residual_ensembles.lesions.engine.evaluator import Evaluator, SweepSpec

# isort: split
import itertools
from collections.abc import Callable, Sequence
from functools import partial
from importlib import resources

import keras
import numpy as np
import pandas as pd
from absl import app, flags
from keras import ops
from our_resnet import CLASSES, SHAPE
from side_by_side import (
    BOTH_OURS,
    FLAGS,
    Cost,
    announce,
    cost,
    interleaved,
    median,
    progress,
    ratio,
    report,
    wanted,
    without_bfloat16,
)

from residual_ensembles import backend, lesions, models
from residual_ensembles.lesions.engine.lesion_groups import step_costs
from residual_ensembles.lesions.engine.reference import function_of
from residual_ensembles.lesions.engine.tree import Tree
from residual_ensembles.lesions.exactness import cascade
from residual_ensembles.lesions.exactness.agreement import agreement
from residual_ensembles.lesions.exactness.sequential_sampling import Sampling
from residual_ensembles.unraveling import unravel

FLAGS.set_default("rounds", 3)
flags.DEFINE_integer("depth", 110, "layers of the ResNet: 6n+2", 8)
flags.DEFINE_integer("images", 500, "images of the sweeps with single lesions", 1)
flags.DEFINE_integer("images_of_random", 500, "images of the sweeps with random lesions", 1)
flags.DEFINE_integer("timed_lesions", 4, "lesions of a plan that the reference is timed on", 1)
flags.DEFINE_list("rows", [], "names of the rows to measure; none for all")
flags.DEFINE_list("batch_sizes", ["64", "128", "256"], "the reference's best is taken")
flags.DEFINE_integer("application_images", 32, "images of 224×224 for ResNet50V2", 8)

TRAINING_IMAGES = 256
RESIDUAL_SCALE = 0.2
"""A trained network's residuals are small beside the skip; as they are drawn, they double it, and
54 of them enlarge any rounding."""
TEST_IMAGES = 10_000
"""Of CIFAR-10: what the cost of a cascade's sample is spread over."""
BECOMING_RIGHT = 0.01
"""Share of images that a lesion makes right: with the median of the authors' 54 lesions, whose
error is 0.4 points higher, 2.4 % of the images are discordant."""
PEAK_SIZE = 2048
"""Rows and columns of the matrices whose product says what the machine can do."""
BASELINE = "one full compiled float32 evaluation per lesion"


def labeled_images(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns images of ten classes, each a pattern of its own under noise, and their classes."""
    random = np.random.default_rng(0)
    patterns = random.uniform(40, 215, (CLASSES, 4, 4, 3)).repeat(8, 1).repeat(8, 2)
    labels = random.integers(0, CLASSES, n)
    noise = random.normal(0, 40, (n, *SHAPE))
    return np.clip(patterns[labels] + noise, 0, 255).astype(np.uint8), labels


def network(images: np.ndarray, labels: np.ndarray):
    """Returns a random network whose last layer alone is fitted, by least squares."""
    chain = models.build("resnet", FLAGS.depth, SHAPE, CLASSES, [125.0] * 3, [60.0] * 3)
    for module in chain.modules:
        last = module.transform.convs[-1].kernel
        last.assign(RESIDUAL_SCALE * ops.convert_to_tensor(last))
    models.reestimate_batch_norm(chain, images)
    y = chain.stem(ops.convert_to_tensor(images))
    for layer in (*chain.modules, *chain.head.layers[:-1]):
        y = layer(y)
    features = np.c_[ops.convert_to_numpy(y), np.ones(len(images))]
    ridge = 0.01 * np.eye(features.shape[1])
    targets = 10.0 * np.eye(CLASSES)[labels]
    solution = np.linalg.solve(features.T @ features + ridge, features.T @ targets)
    chain.head.layers[-1].set_weights([solution[:-1], solution[-1]])
    return chain


class Reference:
    """Some lesions of a plan, the full network compiled for each.

    Images are repeated until they fill the largest batch: values do not change what it takes. Of
    the batch sizes, by default those of the flag, the best is taken.
    """

    def __init__(self, chain, plan: Sequence, images: np.ndarray, batch_sizes=None):
        self.batch_sizes = list(map(int, batch_sizes or FLAGS.batch_sizes))
        positions = np.linspace(0, len(plan) - 1, FLAGS.timed_lesions).round().astype(int)
        self.n_plan = len(plan)
        self.positions = positions.tolist()
        self.images = images[np.resize(np.arange(len(images)), max(self.batch_sizes))]
        self.functions = [compiled(chain, plan[i].lesion) for i in positions]
        self.size = self._best_batch_size()
        self.run()  # compiles

    def run(self) -> np.ndarray:
        """Returns logits of one batch for each of the lesions."""
        batch = ops.convert_to_tensor(self.images[: self.size])
        return np.stack([ops.convert_to_numpy(function(batch)) for function in self.functions])

    def _best_batch_size(self) -> int:
        """Returns the size that takes least for an image, tried on one lesion in turn."""
        batches = [ops.convert_to_tensor(self.images[:size]) for size in self.batch_sizes]
        function = self.functions[len(self.functions) // 2]
        tries = [partial(lambda b: ops.convert_to_numpy(function(b)), batch) for batch in batches]
        costs = interleaved(dict(zip(self.batch_sizes, tries, strict=True)), rounds=3)
        return min(self.batch_sizes, key=lambda n: min(each.wall for each in costs[n]) / n)

    def cost(self, n_images: int) -> Cost:
        """Returns the cost of the full plan on `n_images` images."""
        factor = self.n_plan * n_images / (len(self.functions) * self.size)
        return cost(self.run).times(factor)

    def around(self, n_images: int, work: Callable[[], Cost]) -> tuple[Cost, Cost]:
        """Returns the cost of the plan, measured before and after some work, and of the work."""
        before = self.cost(n_images)
        done = work()
        return before.plus(self.cost(n_images)).times(0.5), done


def compiled(chain, lesion) -> Callable:
    """Returns the full network with one lesion as one compiled function."""
    steps = lesion.steps(len(chain.modules), chain.segment_positions)

    def network(x):
        y = chain.stem(x, training=False)
        for step in steps:
            y = function_of(chain, step)(y, training=False)
        return chain.head(y, training=False)

    return backend.compile(network)


class Sweep:
    """A plan and images, evaluated by the engine in one precision.

    A cascade is calibrated on other images of the same kind: on the evaluated ones, its predictions
    could not but be those of float32.
    """

    def __init__(self, chain, plan: Sequence, images: np.ndarray, precision: str, others=None):
        self.images = images
        self.precision = precision
        self.evaluator = SweepSpec(chain, [row.lesion for row in plan], len(images)).evaluator
        self.everyone = np.arange(len(plan))
        self.sample = Cost(0.0, 0.0)
        self.others = others
        self.reevaluated = []
        if precision == "cascade":
            self._calibrate()
            self.sample = cost(self._calibrate).times(len(images) / TEST_IMAGES)

    def _calibrate(self) -> None:
        result = cascade.compare(self.evaluator, self.others, self.everyone, None)
        self.limits = cascade.thresholds(result["rounding"])

    def _chunk(self, images: np.ndarray) -> np.ndarray:
        if self.precision != "cascade":
            return self.evaluator.logits(images, self.precision)
        limits = self.limits
        result = cascade.cascaded(self.evaluator, images, self.everyone, limits, lambda share: None)
        self.reevaluated.append(result.reevaluated.mean())
        return result.logits

    def logits(self) -> np.ndarray:
        """Returns logits `(n_lesions, n_images, n_classes)`."""
        parts = self.evaluator.grid.chunks()
        return np.concatenate([self._chunk(self.images[part]) for part in parts], axis=1)

    def n_changed(self, logits: np.ndarray) -> int:
        """Returns how many predictions are not those of float32."""
        parts = self.evaluator.grid.chunks()
        exact = [self.evaluator.logits(self.images[part]) for part in parts]
        return int((logits.argmax(-1) != np.concatenate(exact, axis=1).argmax(-1)).sum())

    def cost(self) -> Cost:
        """Returns what the sweep takes, with its part of what is measured once."""
        return cost(self.logits).plus(self.sample)


def measure(
    row: str,
    chain,
    plan: Sequence,
    images: np.ndarray,
    precision: str,
    others: np.ndarray | None = None,
    batch_sizes: Sequence[int] | None = None,
) -> None:
    """Measures one plan in one precision, and how it agrees with the reference."""
    if not wanted(row):
        return
    progress(f"{row}: {len(plan)} lesions, {len(images)} images")
    reference = Reference(chain, plan, images, batch_sizes)
    sweep = Sweep(chain, plan, images, precision, others)
    logits, n_both = sweep.logits(), min(reference.size, len(images))
    same = agreement(logits[reference.positions, :n_both], reference.run()[:, :n_both])
    more = {"shared": shared(sweep.evaluator)}
    if precision == "cascade":
        more["reevaluated"] = float(np.mean(sweep.reevaluated))
        more["changed"] = f"{sweep.n_changed(logits)} of {logits[..., 0].size}"
    costs = [reference.around(len(images), sweep.cost) for _ in range(FLAGS.rounds)]
    if precision == "float32" and not chain.segment_positions:
        seconds = median([engine for _, engine in costs]).wall
        more["share_of_peak"] = work(sweep.evaluator) / seconds / peak()
    report_costs(
        row,
        costs,
        peak_bytes=sweep.evaluator.peak_bytes,
        reference_batch=reference.size,
        differ=f"{same.n_different} of {same.n}",
        close=same.n_close,
        largest_relative_difference=float(f"{same.largest_relative_difference:.2g}"),
        **more,
    )


def shared(evaluator: Evaluator) -> float:
    """Returns how many times as often modules would run, were nothing shared."""
    steps = evaluator.steps()
    return sum(map(len, steps)) / (Tree(steps).n_nodes - 1)


def work(evaluator: Evaluator) -> float:
    """Returns the multiply-adds of the modules that a sweep computes."""
    cost_of = step_costs(evaluator.chain)
    each = [cost_of(step) for children in Tree(evaluator.steps()).children for step in children]
    return evaluator.grid.n_images * sum(each)


def peak() -> float:
    """Returns the multiply-adds that a product of large matrices reaches in a second."""
    a = ops.convert_to_tensor(np.random.default_rng(0).normal(size=(PEAK_SIZE,) * 2), "float32")
    product = backend.compile(ops.matmul)
    times = [cost(lambda: ops.convert_to_numpy(product(a, a))).wall for _ in range(9)]
    return PEAK_SIZE**3 / min(times)


def published_outcomes() -> tuple[np.ndarray, np.ndarray]:
    """Returns where the intact and each lesioned network are wrong, as the authors counted."""
    path = resources.files("residual_ensembles.figures.reference").joinpath("veit2016.csv")
    with path.open() as file:
        table = pd.read_csv(file)
    chosen = {"figure": "3", "network": "resnet110", "gating": "none"}
    rows = table[(table[list(chosen)] == pd.Series(chosen)).all(axis=1)].set_index("x")
    error, n = rows["error_mean"], int(rows["n_images"].iloc[0])
    random = np.random.default_rng(0)
    intact = np.arange(n) < round(n * error[0])
    outcomes = []
    for module in range(1, len(error)):
        wrong, n_better = intact.copy(), round(n * BECOMING_RIGHT)
        n_worse = n_better + round(n * (error[module] - error[0]))
        wrong[random.choice(np.flatnonzero(intact), n_better, replace=False)] = False
        wrong[random.choice(np.flatnonzero(~intact), n_worse, replace=False)] = True
        outcomes.append(wrong)
    return intact, np.stack(outcomes)


def measure_margin(chain, images: np.ndarray) -> None:
    """Measures a sweep to a half-width of one point, with outcomes that are known beforehand."""
    row = "single_deletion_margin"
    if not wanted(row):
        return
    intact_wrong, wrong = published_outcomes()
    n = len(intact_wrong)
    every = images[np.resize(np.arange(len(images)), n)]
    plan = lesions.single_deletions(lesions.deletable(chain))
    progress(f"{row}: {len(plan)} lesions, {n} images")
    reference = Reference(chain, plan, images)
    intact = Sweep(chain, lesions.intact(), every, "float32")
    evaluator = SweepSpec(chain, [row.lesion for row in plan], n).evaluator
    samples = []

    def estimate() -> None:
        intact.logits()
        sizes = evaluator.grid.batch_sizes
        sampling = Sampling(intact_wrong, len(plan), 0.01, seed=0, batch_sizes=sizes)
        while len(positions := sampling.next_images()):
            active = sampling.active
            evaluator.logits(every[positions], lesions=active)
            sampling.record(positions, wrong[np.ix_(active, positions)])
        samples.append(sampling.known.sum(axis=1))

    evaluator.logits(every[: evaluator.grid.chunk])  # compiles
    intact.evaluator.logits(every[: intact.evaluator.grid.chunk])
    report_costs(
        row,
        [reference.around(n, lambda: cost(estimate)) for _ in range(FLAGS.rounds)],
        peak_bytes=max(evaluator.peak_bytes, intact.evaluator.peak_bytes),
        reference_batch=reference.size,
        median_discordant=float(np.median((wrong != intact_wrong).mean(axis=1))),
        median_images=int(np.median(samples)),
    )


def convolutions(chain, evaluator: Evaluator) -> Cost:
    """Returns what a sweep would take if only the convolutions of modules were computed."""
    tree = Tree(evaluator.steps())
    numbers = np.array([step.module for children in tree.children for step in children])
    rows = evaluator.grid.batch_sizes[0]
    total = Cost(0.0, 0.0)
    for first, end in itertools.pairwise([1, *chain.downsampling, len(chain.modules) + 1]):
        conv1, conv2 = chain.modules[end - 2].transform.convs
        run = backend.compile(lambda y, a=conv1, b=conv2: b(a(y)))
        y = np.random.default_rng(0).normal(size=(rows, *chain.shapes[end - 2]))
        y = ops.convert_to_tensor(y.astype("float32"))
        run(y)
        n_runs = ((numbers >= first) & (numbers < end)).sum() * evaluator.grid.n_images / rows
        each = [cost(lambda run=run, y=y: run(y)) for _ in range(9)]
        total = total.plus(median(each).times(float(n_runs)))
    return total


def measure_limit(chain, plan: Sequence, images: np.ndarray) -> None:
    """Measures what sharing could reach, were all but the convolutions free."""
    row = "single_deletion_convolutions_only"
    if not wanted(row):
        return
    progress(row)
    reference = Reference(chain, plan, images)
    evaluator = SweepSpec(chain, [each.lesion for each in plan], len(images)).evaluator
    work = partial(convolutions, chain, evaluator)
    report_costs(row, [reference.around(len(images), work) for _ in range(FLAGS.rounds)])


def measure_application() -> None:
    """Measures the single deletions of a network of `keras.applications`."""
    row = "application_resnet50v2_single_deletion"
    if not wanted(row):
        return
    random = np.random.default_rng(0)
    size = (FLAGS.application_images, 224, 224, 3)
    images = random.normal(size=size).astype("float32")
    model = keras.applications.ResNet50V2(weights=None, classifier_activation=None)
    models.reestimate_batch_norm(model, images[:8])
    chain = unravel(model)
    plan = lesions.single_deletions(lesions.deletable(chain))
    measure(row, chain, plan, images, "float32", batch_sizes=(8, 16, 32))


def report_costs(row: str, costs: list[tuple[Cost, Cost]], **more) -> None:
    """Reports the costs of the reference and of the engine, round by round."""
    reference, engine = zip(*costs, strict=True)
    report(row, ratio(reference, engine), BASELINE, len(costs), seconds=median(engine).wall, **more)


def main(_):
    announce(BOTH_OURS)
    backend.configure()
    if FLAGS.rows == ["application_resnet50v2_single_deletion"]:
        measure_application()
        return
    n = max(FLAGS.images + cascade.SAMPLE, TRAINING_IMAGES)
    images, labels = labeled_images(n)
    chain = network(images, labels)
    images, others = images[: FLAGS.images], images[-cascade.SAMPLE :]
    few = images[: FLAGS.images_of_random]
    modules = lesions.deletable(chain)
    single = lesions.single_deletions(modules)
    measure("single_deletion_float32", chain, single, images, "float32")
    shorter = {f"single_deletion_{precision}": precision for precision in ("bfloat16", "cascade")}
    shorter = {row: precision for row, precision in shorter.items() if wanted(row)}
    if shorter and not without_bfloat16(*shorter):
        for row, precision in shorter.items():
            measure(row, chain, single, images, precision, others)
    measure_margin(chain, images)
    k, swappable = min(20, len(modules)), lesions.swappable(chain, lesions.critical_modules(chain))
    random = lesions.random_deletions(modules, k, 20, seed=0)
    measure("random_deletion_float32", chain, random, few, "float32")
    reordered = lesions.reorderings(swappable, 10, 20, seed=0)
    measure("reorder_float32", chain, reordered, few, "float32")
    double = lesions.single_duplications(lesions.duplicable(chain))
    measure("duplicate_float32", chain, double, images, "float32")
    measure_limit(chain, single, images)
    measure_application()


if __name__ == "__main__":
    app.run(main)
