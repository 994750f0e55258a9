"""What path gradients cost: sampled ones against masked passes, exact ones against ordinary passes.

    python benchmarks/path_gradients.py --json

ResNet-110, images of 32×32, frozen weights, everything compiled, side by side in one process,
both under our settings; each ratio is the median over the rounds. For `sampled_…` it is how many
times faster than one masked full forward and backward pass per path (goal: 5 or more over all
lengths, 10 or more up to k = 15); for `exact_passes_…` it is the number of ordinary forward and
backward passes to the input that the exact decomposition takes (goal: 12 or fewer, then 8), of all
lengths or of those up to 20. The forward pass is part of what is timed. Paths that agree from the
top down are computed once: all those of length 0, or of length n, are one path (`distinct` says how
many there are). About half an hour on two cores.
"""

import residual_ensembles  # noqa: F401 - makes our settings; TensorFlow comes after

# isort: split
import resource

import numpy as np
from absl import app, flags
from keras import ops
from our_resnet import random_network
from side_by_side import (
    BOTH_OURS,
    FLAGS,
    announce,
    interleaved,
    median,
    progress,
    ratio,
    report,
)

from residual_ensembles import backend, paths
from residual_ensembles.paths.loss import mean_cross_entropy

flags.DEFINE_integer("depth", 110, "layers of the ResNet: 6n+2", 8)
flags.DEFINE_list("batch_sizes", ["16", "64"], "images in a batch")
flags.DEFINE_list("lengths", ["0", "10", "15", "20", "54"], "path lengths, modules")
flags.DEFINE_integer("paths", 50, "paths of one length for one batch", 1)
flags.DEFINE_integer("paths_of_all", 4, "paths of each length, where all lengths are sampled", 1)
flags.DEFINE_list("growth", ["9", "18", "27", "54", "99", "198"], "modules, to see how cost grows")

GROWTH_ROUNDS = 2
"""At most."""


def network(n_modules: int, batch_size: int):
    """Returns a network and a batch."""
    chain, images, labels = random_network(2 * n_modules + 2, batch_size)
    return chain, images.astype("float32"), labels


@ops.custom_gradient
def passes_back(y, share):
    """Returns y; of the cotangent, `share` passes."""

    def gradient(*cotangent, upstream=None):
        upstream = cotangent[0] if upstream is None else upstream
        return upstream * share, ops.zeros_like(share)

    return y, gradient


def masked_pass(chain, labels):
    """Returns the obvious way to one path's norm: everything forward and back, masked."""

    @backend.compile
    def norm(images, takes):
        def loss(y):
            for i, module in enumerate(chain.modules):
                residual = module.residual(passes_back(y, takes[i]))
                y = module.after(residual + module.skip(passes_back(y, 1.0 - takes[i])))
            return mean_cross_entropy(chain.head(y), labels)

        value, pull = backend.vjp(loss, chain.stem(images))
        gradient = pull(ops.ones_like(value))[0]
        return ops.sqrt(ops.sum(gradient * gradient))

    return norm


def ordinary_pass(chain, labels):
    """Returns one forward and backward pass to the images."""

    @backend.compile
    def norm(images):
        value, pull = backend.vjp(lambda x: mean_cross_entropy(chain(x), labels), images)
        gradient = pull(ops.ones_like(value))[0]
        return ops.sqrt(ops.sum(gradient * gradient))

    return norm


def draw(n: int, lengths, count: int) -> np.ndarray:
    return np.concatenate([paths.draw_paths([True] * n, k, count, 0, 0) for k in lengths])


def norms(linearization, images, labels, takes):
    """Samples paths, for their norms only, as a masked pass does."""
    return paths.batch_path_gradients(linearization.linearize(images, labels), takes, shares=False)


def side_by_side(batch_size: int) -> None:
    """Measures one batch size."""
    n = (FLAGS.depth - 2) // 2
    chain, images, labels = network(n, batch_size)
    masked, ordinary = masked_pass(chain, labels), ordinary_pass(chain, labels)
    linearization = paths.Linearization(chain)
    drawn = {f"sampled_k{k}": draw(n, [int(k)], FLAGS.paths) for k in FLAGS.lengths}
    drawn["sampled_up_to_k15"] = draw(n, range(16), FLAGS.paths)
    drawn["sampled_all_lengths"] = draw(n, range(n + 1), FLAGS.paths_of_all)
    half = (np.arange(n) % 2).astype("float32")
    for name, longest in (("exact_passes", None), ("exact_passes_up_to_20", 20)):
        progress(f"{name}, batch {batch_size}")
        functions = {
            "exact": lambda k=longest: paths.batch_gradient_by_length(
                linearization.linearize(images, labels), k
            ),
            "ordinary": lambda: float(ordinary(images)),
        }
        costs = interleaved(functions, FLAGS.rounds)
        passes = ratio(costs["exact"], costs["ordinary"])
        seconds = median(costs["exact"]).wall
        report(f"{name}_batch{batch_size}", passes, "ordinary pass", FLAGS.rounds, seconds=seconds)
    for name, takes in drawn.items():
        progress(f"{name}, batch {batch_size}")
        functions = {
            "sampled": lambda t=takes: norms(linearization, images, labels, t),
            "masked": lambda: float(masked(images, half)),
        }
        costs = interleaved(functions, FLAGS.rounds)
        each = [taken.times(1 / len(takes)) for taken in costs["sampled"]]
        more = {"n_paths": len(takes), "distinct": len(np.unique(takes, axis=0))}
        more["seconds_per_path"] = median(each).wall
        faster = ratio(costs["masked"], each)
        report(f"{name}_batch{batch_size}", faster, "masked pass per path", FLAGS.rounds, **more)


def growth(batch_size: int) -> None:
    """Measures how the cost grows with the number of modules."""
    rounds = min(FLAGS.rounds, GROWTH_ROUNDS)
    for n in map(int, FLAGS.growth):
        chain, images, labels = network(n, batch_size)
        ordinary, linearization = ordinary_pass(chain, labels), paths.Linearization(chain)
        takes = draw(n, range(n + 1), 1)
        functions = {
            "ordinary": lambda f=ordinary, x=images: float(f(x)),
            "exact": lambda f=linearization, x=images, y=labels: paths.batch_gradient_by_length(
                f.linearize(x, y)
            ),
            "sampled": lambda f=linearization, x=images, y=labels, t=takes: norms(f, x, y, t),
        }
        progress(f"{n} modules")
        costs = interleaved(functions, rounds)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        for name, label in (("exact", "exact_passes"), ("sampled", "sampled_one_of_each_length")):
            more = {"seconds": median(costs[name]).wall, "peak_bytes": peak}
            value = ratio(costs[name], costs["ordinary"])
            report(f"{label}_n{n}", value, "ordinary pass", rounds, **more)


def main(_):
    announce(BOTH_OURS)
    backend.configure()
    growth(int(FLAGS.batch_sizes[0]))  # first, and small networks first: memory has a peak only
    for batch_size in map(int, FLAGS.batch_sizes):
        side_by_side(batch_size)


if __name__ == "__main__":
    app.run(main)
