"""How long a training step takes: gates, fused batch normalization, precision, other libraries.

    python benchmarks/training.py --json

ResNet-110, images of 32×32, batch 128. Every contestant is a process of its own, and those of a
row take turns. Ours run under our settings. Plain Keras and PyTorch run twice: in a process that
imports nothing of ours (`ratio`, `cpu_ratio`), as their user gets them, and in one that imports
`residual_ensembles` before them and is configured as ours are (`ratio_our_settings`,
`cpu_ratio_our_settings`): between the two lies what environment and allocator do, which is no
merit of ours. Keras trains without XLA, which on a CPU is slower.

Modules of the first stage cost more than the others, so gates are those of steps that draw as many
of each stage as is usual. Rows: `effective_paths_step`, `stochastic_depth_step`, `open_gates_step`,
`fit_float32`, `fit_torch` where PyTorch is installed, `fit_mixed_bfloat16` and
`keras_fit_mixed_bfloat16`, both to Keras' own `fit` in float32. Ten minutes on two cores; with
`--rounds=1` four, and the first row after one. Up to four processes of 2 GB at a time.
"""

import importlib.util
from typing import NamedTuple

import numpy as np
from absl import app, flags
from side_by_side import (
    FLAGS,
    Contestant,
    Cost,
    announce,
    median,
    progress,
    ratio,
    report,
    serve,
    wanted,
    without_bfloat16,
)

flags.DEFINE_integer("depth", 110, "layers of the ResNet: 6n+2", 8)
flags.DEFINE_integer("batch_size", 128, "images in a step", 1)
flags.DEFINE_list("rows", [], "names of the rows to measure; none for all")
flags.DEFINE_string("contestant", None, "be one of the contestants; for the program itself")
flags.DEFINE_enum("settings", "ours", ["ours", "theirs"], "what a contestant runs under")

SHAPE, CLASSES, STEPS = (32, 32, 3), 10, 2
FOREIGN = ("keras", "keras_bfloat16", "torch")


class Row(NamedTuple):
    """What is set against what."""

    name: str
    this: str
    baseline: str

    def sides(self, settings: str) -> tuple[tuple[str, str], tuple[str, str]]:
        """Returns both contestants; foreign ones under these settings."""
        pair = self.this, self.baseline
        return tuple((each, settings if each in FOREIGN else "ours") for each in pair)

    def columns(self) -> dict[str, tuple]:
        """Returns both contestants of each ratio, by what is appended to its name."""
        ours = {"_our_settings": self.sides("ours")}
        return {"": self.sides("theirs"), **(ours if self.baseline in FOREIGN else {})}

    def contestants(self) -> list[tuple[str, str]]:
        """Returns all that take part, each once."""
        return list(dict.fromkeys(each for pair in self.columns().values() for each in pair))


ROWS = [
    Row("effective_paths_step", "effective_paths", "full"),
    Row("stochastic_depth_step", "stochastic_depth", "full"),
    Row("open_gates_step", "open_gates", "full"),
    Row("fit_float32", "full", "keras"),
    Row("fit_torch", "full", "torch"),
]
BFLOAT16_ROWS = [
    Row("fit_mixed_bfloat16", "bfloat16", "keras"),
    Row("keras_fit_mixed_bfloat16", "keras_bfloat16", "keras"),
]


def contestant() -> tuple:
    """Returns what this process was started for, and the number of its weights.

    What it needs is imported here, in this order: our settings are made when the package is
    imported, and have to be made before TensorFlow is; or not at all.
    """
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (FLAGS.batch_size, *SHAPE)).astype("uint8")
    labels = random.integers(0, CLASSES, FLAGS.batch_size).astype("int32")
    rest = FLAGS.depth, images, labels, STEPS
    if FLAGS.settings == "ours":
        from residual_ensembles import backend

        backend.configure()
    dtype = "mixed_bfloat16" if FLAGS.contestant.endswith("bfloat16") else "float32"
    if FLAGS.contestant == "torch":
        import torch_resnet

        return torch_resnet.steps(*rest)
    if FLAGS.contestant in FOREIGN:
        import keras_resnet

        return keras_resnet.steps(dtype, *rest)
    import our_resnet

    kind = "full" if FLAGS.contestant == "bfloat16" else FLAGS.contestant
    return our_resnet.steps(kind, dtype, *rest)


def measure(row: Row, processes: dict[tuple[str, str], Contestant]) -> None:
    """Measures one row; processes that it needs are added to those that are there already."""
    new = [each for each in row.contestants() if each not in processes]
    progress(f"{row.name}: starting and compiling {', '.join(map(' with settings '.join, new))}")
    processes |= {each: Contestant(*each) for each in new}  # all begin at once
    n_weights = {each: processes[each].answer() for each in new}
    if len(set(n_weights.values())) > 1:
        raise ValueError(f"Received networks of different sizes: {n_weights}, expected the same.")
    costs: dict[tuple[str, str], list[Cost]] = {each: [] for each in row.contestants()}
    for i in range(FLAGS.rounds):
        progress(f"round {i + 1} of {FLAGS.rounds}")
        for each, taken in costs.items():
            taken.append(processes[each].cost())
    ratios = {
        column: ratio(costs[this], costs[baseline])
        for column, (this, baseline) in row.columns().items()
    }
    more = {}
    if "_our_settings" in ratios:
        more["ratio_our_settings"], more["cpu_ratio_our_settings"] = ratios["_our_settings"]
    for (name, settings), taken in costs.items():
        label = f"{name}_{settings}" if name in FOREIGN else name
        more[f"{label}_images_per_second"] = STEPS * FLAGS.batch_size / median(taken).wall
    report(row.name, ratios[""], row.baseline, FLAGS.rounds, **more)


def main(_):
    if FLAGS.contestant:
        serve(contestant)
        return
    announce(
        "ours run under our settings; Keras and PyTorch as their user gets them (ratio), and "
        "under our settings (ratio_our_settings)"
    )
    bfloat16 = [row for row in BFLOAT16_ROWS if wanted(row.name)]
    if bfloat16 and without_bfloat16(*(row.name for row in bfloat16)):
        bfloat16 = []
    rows = [row for row in ROWS if wanted(row.name)] + bfloat16
    if importlib.util.find_spec("torch") is None:
        rows = [row for row in rows if row.baseline != "torch"]
    processes: dict[tuple[str, str], Contestant] = {}
    for i, row in enumerate(rows):
        measure(row, processes)
        needed = {each for later in rows[i + 1 :] for each in later.contestants()}
        for each in set(processes) - needed:
            processes.pop(each).close()


if __name__ == "__main__":
    app.run(main)
