"""How many times faster the lesion engine is than one whole evaluation for each lesion.

    python benchmarks/lesions.py --json

ResNet-110, pictures of 32×32, two cores, side by side in one process. The reference is the whole
network compiled in float32 for one lesion, deleted modules left out, at its best batch size; it is
timed on a few lesions of each plan and multiplied up to all of them, the engine is timed on all.
Compiling is left out on both sides (the reference's takes seconds for each lesion). Each ratio is
the median over the rounds. Weights are random, batch-norm statistics those of the pictures; the
last layer is fitted to ten classes of pictures, so that logits lie as far apart as a trained
network's. For `single_deletion_margin` the outcomes are the paper's authors': 10,000 pictures, the
error of each lesion as they published it, with one percent of the pictures becoming right.
A cascade's sample of 128 pictures
counts as in a sweep of 10,000. About 25 minutes on two cores.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import resources

import numpy as np
import pandas as pd
from absl import app, flags
from keras import ops
from side_by_side import interleaved, progress, ratio, report, seconds

from residual_ensembles import backend, lesions, models
from residual_ensembles.lesions import cascade
from residual_ensembles.lesions.agreement import agreement
from residual_ensembles.lesions.evaluator import Evaluator
from residual_ensembles.lesions.margin import Sampling
from residual_ensembles.lesions.pieces import Pieces
from residual_ensembles.lesions.tree import Tree

FLAGS = flags.FLAGS
flags.DEFINE_bool("json", False, "one JSON object per line")
flags.DEFINE_integer("rounds", 3, "counted rounds", 1)
flags.DEFINE_integer("depth", 110, "layers of the ResNet: 6n+2", 8)
flags.DEFINE_integer("pictures", 256, "pictures of the sweeps with single lesions", 1)
flags.DEFINE_integer("pictures_of_random", 64, "pictures of the sweeps with random lesions", 1)
flags.DEFINE_integer("timed_lesions", 4, "lesions of a plan that the reference is timed on", 1)
flags.DEFINE_list("batch_sizes", ["64", "128", "256"], "the reference's best is taken")
flags.DEFINE_list("rows", [], "names of the rows to measure; none for all")

SHAPE, CLASSES = (32, 32, 3), 10
RESIDUAL_SCALE = 0.2
"""A trained network's residuals are small beside the skip; as they are drawn, they double it, and
54 of them enlarge any rounding."""
BASELINE = "one whole compiled float32 evaluation per lesion"
TEST_PICTURES = 10_000
"""Of CIFAR-10: what the cost of a cascade's sample is spread over."""
BECOMING_RIGHT = 0.01
"""Share of pictures that a lesion makes right: with the median of the authors' 54 lesions, whose
error is 0.4 points higher, 2.4 % of the pictures are discordant."""


def labelled_pictures(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns pictures of ten classes, each a pattern of its own under noise, and their classes."""
    random = np.random.default_rng(0)
    patterns = random.uniform(40, 215, (CLASSES, 4, 4, 3)).repeat(8, 1).repeat(8, 2)
    labels = random.integers(0, CLASSES, n)
    noise = random.normal(0, 40, (n, *SHAPE))
    return np.clip(patterns[labels] + noise, 0, 255).astype(np.uint8), labels


def network(pictures: np.ndarray, labels: np.ndarray):
    """Returns a random network whose last layer alone is fitted, by least squares."""
    chain = models.build("resnet", FLAGS.depth, SHAPE, CLASSES, [125.0] * 3, [60.0] * 3)
    for module in chain.modules:
        last = module.transform.convs[-1].kernel
        last.assign(RESIDUAL_SCALE * ops.convert_to_tensor(last))
    lesions.reestimate_batch_norm(chain, pictures)
    y = ops.convert_to_tensor(pictures)
    for part in (chain.stem, *chain.modules, *chain.head.layers[:-1]):
        y = part(y, training=False) if part not in chain.head.layers[1:] else part(y)
    features = np.c_[ops.convert_to_numpy(y), np.ones(len(pictures))]
    ridge = 0.01 * np.eye(features.shape[1])
    targets = 10.0 * np.eye(CLASSES)[labels]
    solution = np.linalg.solve(features.T @ features + ridge, features.T @ targets)
    chain.head.layers[-1].set_weights([solution[:-1], solution[-1]])
    return chain


class Reference:
    """Some lesions of a plan, the whole network compiled for each.

    Args:
        chain: The network.
        plan: The plan.
        pictures: As many as the largest batch.
    """

    def __init__(self, chain, plan: Sequence, pictures: np.ndarray):
        places = np.linspace(0, len(plan) - 1, FLAGS.timed_lesions).round().astype(int)
        self.lesions = [plan[i].lesion for i in places]
        self.pictures = pictures
        self.functions = [compiled(chain, lesion) for lesion in self.lesions]

    def run(self, batch_size: int) -> np.ndarray:
        """Returns logits of one batch for each of the lesions."""
        batch = ops.convert_to_tensor(self.pictures[:batch_size])
        return np.stack([ops.convert_to_numpy(function(batch)) for function in self.functions])

    def best_batch_size(self) -> int:
        """Returns the batch size that takes the least time per picture."""
        sizes = [size for size in map(int, FLAGS.batch_sizes) if size <= len(self.pictures)]
        for size in sizes:
            self.run(size)
        each = {
            size: min(seconds(lambda s=size: self.run(s)) / size for _ in range(3))
            for size in sizes
        }
        return min(each, key=each.get)


def compiled(chain, lesion) -> Callable:
    """Returns the whole network with one lesion as one compiled function."""
    steps = lesion.steps(len(chain.modules))

    def whole(x):
        y = chain.stem(x, training=False)
        for number, does in steps:
            module = chain.modules[number - 1]
            run = module if does == "run" else module.deleted
            y = run(y, training=False)
        return chain.head(y, training=False)

    return backend.compile(whole)


def convolutions_only(chain, evaluator: Evaluator) -> Callable[[], float]:
    """Returns what measures the seconds a sweep would take if nothing but convolutions were done.

    Args:
        chain: The network.
        evaluator: Of the sweep, whose steps and batches are meant.
    """
    steps = evaluator.network("float32").steps
    tree = Tree(steps(lesion) for lesion in evaluator.lesions)
    numbers = np.array([step.module for children in tree.children for step in children])
    rows = evaluator.grid.batch_sizes[0]
    stages = []
    for first, last in itertools.pairwise([0, *chain.downsampling, len(chain.modules) + 1]):
        module, shape = chain.modules[last - 2], chain.shapes[last - 2]
        conv1, conv2 = module.transform.convs
        run = backend.compile(lambda y, a=conv1, b=conv2: b(a(y)))
        y = ops.convert_to_tensor(np.random.default_rng(0).normal(size=(rows, *shape)), "float32")
        n_runs = ((numbers >= first) & (numbers < last)).sum() * evaluator.grid.n_pictures / rows
        run(y)
        stages.append((run, y, float(n_runs)))
    return lambda: sum(
        n * min(seconds(lambda r=run, x=y: r(x)) for _ in range(5)) for run, y, n in stages
    )


def in_pieces(evaluator: Evaluator, pictures: np.ndarray, work: Callable) -> np.ndarray:
    """Returns what `work` makes of each piece of the pictures, side by side."""
    return np.concatenate([work(pictures[part]) for part in evaluator.grid.pieces()], axis=1)


def wanted(name: str) -> bool:
    return not FLAGS.rows or name in FLAGS.rows


def measure(name: str, chain, plan: Sequence, pictures: np.ndarray, precisions) -> None:
    """Measures one plan in some precisions, and how they agree with the reference."""
    rows = [f"{name}_{precision}" for precision in precisions]
    if not any(map(wanted, rows)):
        return
    progress(f"{name}: {len(plan)} lesions, {len(pictures)} pictures; first calls, then rounds")
    reference = Reference(chain, plan, pictures)
    size = reference.best_batch_size()
    chosen = [row.lesion for row in plan]
    everyone = np.arange(len(plan))
    evaluators = {row: Evaluator(chain, chosen, len(pictures)) for row in rows if wanted(row)}
    found, checks = {}, {}

    def limits(row: str) -> np.ndarray:
        """The thresholds of a cascade, from a sample that is timed when all is compiled."""
        if row not in checks:
            work = partial(cascade.check_on_sample, evaluators[row], pictures, 0, Pieces())
            work()
            start = time.perf_counter()
            check = work()
            checks[row] = check.thresholds, time.perf_counter() - start
        return checks[row][0]

    def sweep(row: str, precision: str) -> None:
        evaluator = evaluators[row]
        if precision == "cascade":
            redone = []

            def work(x):
                piece = cascade.cascaded(evaluator, x, everyone, limits(row), lambda s: None)
                redone.append(piece.redone.mean())
                return piece.logits

            found[row] = in_pieces(evaluator, pictures, work)
            found["redone"] = float(np.mean(redone))
        else:
            found[row] = in_pieces(evaluator, pictures, lambda x: evaluator.logits(x, precision))

    functions = {"reference": lambda: reference.run(size)}
    for row, precision in zip(rows, precisions, strict=True):
        if wanted(row):
            functions[row] = lambda r=row, p=precision: sweep(r, p)
    times = interleaved(functions, FLAGS.rounds)
    factor = len(plan) * len(pictures) / (len(reference.lesions) * size)
    whole = [t * factor for t in times.pop("reference")]
    expected = reference.run(size)
    for row, elapsed in times.items():
        if row in checks:  # the sample is as large for any sweep: its part in one of 10,000
            elapsed = [t + checks[row][1] * len(pictures) / TEST_PICTURES for t in elapsed]
        places = [chosen.index(lesion) for lesion in reference.lesions]
        same = agreement(found[row][places, :size], expected)
        tell(
            row,
            ratio(whole, elapsed),
            peak_bytes=evaluators[row].peak_bytes,
            reference_batch=size,
            seconds=float(np.median(elapsed)),
            differ=f"{same.n_different} of {same.n}",
            close=same.n_close,
            largest_relative_difference=float(f"{same.largest_relative_difference:.2g}"),
            **({"redone": round(found["redone"], 4)} if row.endswith("cascade") else {}),
        )


def published_outcomes() -> tuple[np.ndarray, np.ndarray]:
    """Returns where the intact and each lesioned network are wrong, as the authors counted."""
    with (
        resources.files("residual_ensembles.figures.reference").joinpath("veit2016.csv").open() as f
    ):
        table = pd.read_csv(f)
    rows = table[
        (table["figure"] == "3") & (table["network"] == "resnet110") & (table["gating"] == "none")
    ]
    error = rows.set_index("x")["error_mean"]
    n = int(rows["n_images"].iloc[0])
    random = np.random.default_rng(0)
    intact = np.arange(n) < round(n * error[0])
    outcomes = []
    for module in range(1, 55):
        wrong = intact.copy()
        n_better = round(n * BECOMING_RIGHT)
        n_worse = n_better + round(n * (error[module] - error[0]))
        wrong[random.choice(np.flatnonzero(intact), n_better, replace=False)] = False
        wrong[random.choice(np.flatnonzero(~intact), n_worse, replace=False)] = True
        outcomes.append(wrong)
    return intact, np.stack(outcomes)


def measure_limit(chain, plan: Sequence, pictures: np.ndarray) -> None:
    """Measures what sharing alone could reach, were all but the convolutions free."""
    name = "single_deletion_convolutions_only"
    if not wanted(name):
        return
    reference = Reference(chain, plan, pictures)
    size = reference.best_batch_size()
    evaluator = Evaluator(chain, [row.lesion for row in plan], len(pictures))
    convolutions = convolutions_only(chain, evaluator)
    ratios = []
    for _ in range(FLAGS.rounds):
        factor = len(plan) * len(pictures) / (len(reference.lesions) * size)
        ratios.append(factor * seconds(lambda: reference.run(size)) / convolutions())
    tell(name, float(np.median(ratios)), reference_batch=size)


def measure_margin(chain, pictures: np.ndarray) -> None:
    """Measures a sweep to a half-width of one point, with outcomes that are known beforehand."""
    name = "single_deletion_margin"
    if not wanted(name):
        return
    intact_wrong, wrong = published_outcomes()
    n = len(intact_wrong)
    every = pictures[np.resize(np.arange(len(pictures)), n)]
    plan = lesions.single_deletions(lesions.deletable(chain))
    reference = Reference(chain, plan, pictures)
    size = reference.best_batch_size()
    intact = Evaluator(chain, [lesions.Lesion()], n)
    evaluator = Evaluator(chain, [row.lesion for row in plan], n)
    sizes = []

    def sweep() -> None:
        in_pieces(intact, every, intact.logits)
        sampling = Sampling(intact_wrong, len(plan), 0.01, seed=0)
        while len(positions := sampling.next_pictures()):
            active = sampling.active
            evaluator.logits(every[positions], lesions=active)
            sampling.record(positions, wrong[np.ix_(active, positions)])
        sizes.append(sampling.known.sum(axis=1))

    progress(f"{name}: {len(plan)} lesions, {n} pictures, one round")
    evaluator.logits(every[: evaluator.grid.piece])
    intact.logits(every[: intact.grid.piece])
    before = seconds(lambda: reference.run(size))
    elapsed = seconds(sweep)
    after = seconds(lambda: reference.run(size))
    whole = (before + after) / 2 * len(plan) * n / (len(reference.lesions) * size)
    discordant = (wrong != intact_wrong).mean(axis=1)
    tell(
        name,
        whole / elapsed,
        n=1,
        peak_bytes=max(evaluator.peak_bytes, intact.peak_bytes),
        reference_batch=size,
        seconds=elapsed,
        median_discordant=float(np.median(discordant)),
        median_pictures=int(np.median(sizes)),
    )


def tell(name: str, value: float, n: int | None = None, **more) -> None:
    rounded = {k: round(v, 3) if isinstance(v, float) and v > 0.01 else v for k, v in more.items()}
    report(name, round(value, 3), BASELINE, n or FLAGS.rounds, FLAGS.json, **rounded)


def main(_):
    backend.configure()
    pictures, labels = labelled_pictures(max(FLAGS.pictures, 256))
    chain = network(pictures, labels)
    pictures = pictures[: FLAGS.pictures]
    modules = lesions.deletable(chain)
    single = lesions.single_deletions(modules)
    measure("single_deletion", chain, single, pictures, ("float32", "bfloat16", "cascade"))
    measure_limit(chain, single, pictures)
    measure_margin(chain, pictures)
    few = pictures[: FLAGS.pictures_of_random]
    swappable = lesions.swappable(chain, lesions.spared(chain))
    duplicable = lesions.duplicable(chain)
    for name, plan in (
        ("random_deletion", lesions.random_deletions(modules, min(20, len(modules)), 20, seed=0)),
        ("reorder", lesions.reorderings(swappable, 10, 20, seed=0)),
    ):
        measure(name, chain, plan, few, ("float32",))
    measure("duplicate", chain, lesions.single_duplications(duplicable), pictures, ("float32",))


if __name__ == "__main__":
    app.run(main)
