"""How long a training step takes: gates, fused batch normalisation, precision.

    python benchmarks/training.py --json

ResNet-110, pictures of 32×32, batch 128, side by side in one process. Modules of the first stage
cost more than the others, so gates are those of steps that draw as many of each stage as is usual.
Ten minutes on two cores.
"""

import gc
import importlib.util
import time

import keras
import numpy as np
from absl import app, flags
from side_by_side import interleaved, median, progress, ratio, report

from residual_ensembles import backend, models
from residual_ensembles.models.batch_norm import EPSILON, MOMENTUM
from residual_ensembles.training import Gating, Trainer, compile_trainer

FLAGS = flags.FLAGS
flags.DEFINE_bool("json", False, "one JSON object per line")
flags.DEFINE_integer("rounds", 5, "counted rounds", 1)
flags.DEFINE_integer("depth", 110, "layers of the ResNet: 6n+2", 8)
flags.DEFINE_integer("batch_size", 128, "pictures in a step", 1)

SHAPE, CLASSES, STEPS = (32, 32, 3), 10, 2


def network(dtype="float32", survival=None):
    return models.build(
        "resnet",
        FLAGS.depth,
        SHAPE,
        CLASSES,
        [125.0] * 3,
        [60.0] * 3,
        dtype=dtype,
        survival=survival,
    )


def plain_network(dtype="float32"):
    """The same layers in Keras' own functional model, with Keras' own batch normalisation."""

    def norm(y):
        return keras.layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, dtype=dtype)(y)

    def conv(y, source):
        return keras.layers.Conv2D(
            source.filters,
            source.kernel_size,
            source.strides,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            dtype=dtype,
        )(y)

    chain = network(dtype)
    x = keras.Input(SHAPE)
    y = keras.layers.Normalization(mean=[125.0] * 3, variance=[3600.0] * 3, dtype="float32")(x)
    y = conv(y, chain.stem.layers[1])
    for module in chain.modules:
        skip = y if module.shortcut is None else conv(y, module.shortcut)
        for source in module.transform.convs:
            y = conv(keras.layers.ReLU(dtype=dtype)(norm(y)), source)
        y = keras.layers.Add(dtype=dtype)([skip, y])
    y = keras.layers.GlobalAveragePooling2D(dtype=dtype)(keras.layers.ReLU(dtype=dtype)(norm(y)))
    return keras.Model(x, keras.layers.Dense(CLASSES, dtype="float32")(y))


def pictures():
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (FLAGS.batch_size, *SHAPE)).astype("uint8")
    return x, random.integers(0, CLASSES, FLAGS.batch_size).astype("int32")


def typical_gates(gating) -> list:
    """Returns the gates of the steps, of the first hundred, nearest to the mean of each stage."""
    drawn = [gating.draw(0, step) for step in range(100)]
    if drawn[0] is None:
        return drawn[:STEPS]
    per_stage = np.reshape(drawn, (len(drawn), 3, -1)).sum(axis=2)
    off = np.square(per_stage - per_stage.mean(axis=0)).sum(axis=1)
    return [drawn[i] for i in np.argsort(off, kind="stable")[:STEPS]]


def our_fit(gating, dtype="float32"):
    """Returns a function that runs a few steps of our `fit`."""
    trainer = Trainer(network(dtype, gating.survival))
    compile_trainer(trainer, 1e-3, 1e-4)
    x, y = pictures()
    chosen = typical_gates(gating)

    def batches():
        for gates in chosen:
            yield {"pictures": x, **({} if gates is None else {"gates": gates})}, y

    return lambda: trainer.fit(batches(), steps_per_epoch=STEPS, verbose=0, shuffle=False)


def all_open(n_modules):
    """A gating whose gates are given, and always 1."""
    return Gating("effective_paths", n_modules, n_modules)


def plain_fit(dtype="float32"):
    """Returns a function that runs as many steps of Keras' own `fit`."""
    model = plain_network(dtype)
    model.compile(
        keras.optimizers.SGD(1e-3, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=backend.JIT_COMPILE,
    )
    x, y = pictures()

    def batches():
        for _ in range(STEPS):
            yield x.astype("float32"), y

    return lambda: model.fit(batches(), steps_per_epoch=STEPS, verbose=0, shuffle=False)


def torch_fit():
    """Returns as many steps of the same network in PyTorch, or None where it is not installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch_resnet

    return torch_resnet.steps(FLAGS.depth, *pictures(), STEPS)


def first_step():
    """Returns the seconds from a fresh network to the end of its first step."""
    gc.collect()
    start = time.perf_counter()
    trainer = Trainer(network())
    compile_trainer(trainer, 1e-3, 1e-4)
    x, y = pictures()
    trainer.fit(iter_once(({"pictures": x}, y)), steps_per_epoch=1, verbose=0, shuffle=False)
    return time.perf_counter() - start


def iter_once(item):
    yield item


def main(_):
    backend.configure()
    n = models.n_modules("resnet", FLAGS.depth)
    m = max(1, round(23 / 54 * n))
    seconds_first = first_step()
    progress("building the networks")
    functions = {
        "full": our_fit(Gating("none", n)),
        "effective_paths": our_fit(Gating("effective_paths", n, m)),
        "stochastic_depth": our_fit(Gating("stochastic_depth", n)),
        "open_gates": our_fit(all_open(n)),
        "bfloat16": our_fit(Gating("none", n), "mixed_bfloat16"),
        "keras": plain_fit(),
        "keras_bfloat16": plain_fit("mixed_bfloat16"),
    }
    torch = torch_fit()
    if torch is not None:
        functions["torch"] = torch
    progress("first calls, which compile, then rounds")
    costs = interleaved(functions, FLAGS.rounds)
    rows = [
        ("effective_paths_step", "effective_paths", "full"),
        ("stochastic_depth_step", "stochastic_depth", "full"),
        ("open_gates_step", "open_gates", "full"),
        ("fit_float32", "full", "keras"),
        ("fit_mixed_bfloat16", "bfloat16", "keras"),
        ("keras_fit_mixed_bfloat16", "keras_bfloat16", "keras"),
    ]
    if torch is not None:
        rows.append(("torch_step", "torch", "full"))
    for name, this, baseline in rows:
        report(
            name,
            ratio(costs[this], costs[baseline]),
            baseline,
            FLAGS.rounds,
            FLAGS.json,
            images_per_second=STEPS * FLAGS.batch_size / median(costs[this]).wall,
        )
    report("time_to_first_step", None, "", 1, FLAGS.json, seconds=seconds_first)


if __name__ == "__main__":
    app.run(main)
