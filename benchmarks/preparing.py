"""What it is worth to give weights to a trace as arguments, instead of as constants.

    python benchmarks/preparing.py --json

The lesion engine compiles one function for each kind of module and hands it the weights of each
module; a function for each module, with its weights as constants, TensorFlow could lay out once.
ResNet-110, images of 32×32, both under our settings. `ratio` is constants by arguments: for
`prepare` the time until every module has run once, for `run` that of all modules once more on a
batch, and for `sweep` that of all single deletions of `--images` images, preparing included.
Below 1, constants are faster. About two minutes on two cores.
"""

import residual_ensembles  # noqa: F401 - makes our settings; TensorFlow comes after

# isort: split
from collections.abc import Callable

from absl import app, flags
from keras import ops
from our_resnet import random_network
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
)

from residual_ensembles import backend
from residual_ensembles.backend.precision import compiled
from residual_ensembles.lesions.engine.folded_modules import folded
from residual_ensembles.models.lowering import lowered

flags.DEFINE_integer("depth", 110, "layers of the ResNet: 6n+2", 8)
flags.DEFINE_integer("batch_size", 128, "images that pass a module together", 1)
flags.DEFINE_integer("images", 10_000, "images of the sweep", 1)

BASELINE = "weights as arguments"


class Modules:
    """All modules of a network, folded and compiled.

    `make` turns what a module computes into a function of a tensor alone.
    """

    def __init__(self, chain, make: Callable):
        forms = [folded(lowered(module)) for module in chain.modules]
        self.functions = [make(form) for form in forms]

    def run(self, y) -> None:
        """Runs one module after the other."""
        for function in self.functions:
            y = function(y)
        ops.convert_to_numpy(y)


def with_arguments() -> Callable:
    """Returns a maker of functions that share a trace."""
    known = {}

    def make(form):
        if form.key not in known:
            known[form.key] = compiled(form.function)
        weights = rounded(form, ops.convert_to_tensor)
        return lambda y: known[form.key](y, weights)

    return make


def with_constants() -> Callable:
    """Returns a maker of functions with a trace each; NumPy's arrays become constants in it."""

    def make(form):
        weights = rounded(form, lambda array: array)
        return compiled(lambda y: form.function(y, weights))

    return make


def rounded(form, convert: Callable) -> tuple:
    """Returns the weights of a module in float32."""
    return tuple(
        type(w)(*(convert(part.astype("float32")) for part in w))
        if isinstance(w, tuple)
        else convert(w.astype("float32"))
        for w in form.weights
    )


def full_sweep(prepare: Cost, run: Cost, n: int) -> Cost:
    """Returns what all single deletions take: n²/2 modules for each image, n a passage."""
    return prepare.plus(run.times((n + 1) / 2 * FLAGS.images / FLAGS.batch_size))


def report_costs(row: str, costs: dict[str, list[Cost]]) -> None:
    """Reports what both took, round by round."""
    seconds = {f"{name}_seconds": median(each).wall for name, each in costs.items()}
    result = ratio(costs["constants"], costs["arguments"])
    report(f"constants_{row}", result, BASELINE, FLAGS.rounds, **seconds)


def main(_):
    announce(BOTH_OURS)
    backend.configure()
    chain, images, _ = random_network(FLAGS.depth, FLAGS.batch_size)
    y = chain.stem(ops.convert_to_tensor(images))
    makers = {"constants": with_constants, "arguments": with_arguments}
    made, prepared = {}, {name: [] for name in makers}
    for i in range(FLAGS.rounds):
        progress(f"prepare: round {i + 1} of {FLAGS.rounds}")
        for name, maker in makers.items():

            def prepare(name=name, maker=maker) -> None:
                made[name] = Modules(chain, maker())
                made[name].run(y)

            prepared[name].append(cost(prepare))
    report_costs("prepare", prepared)
    progress("run")
    runs = interleaved({n: lambda n=n: made[n].run(y) for n in makers}, FLAGS.rounds)
    report_costs("run", runs)
    n = len(chain.modules)
    pairs = {name: zip(prepared[name], runs[name], strict=True) for name in makers}
    report_costs("sweep", {name: [full_sweep(*pair, n) for pair in pairs[name]] for name in makers})


if __name__ == "__main__":
    app.run(main)
