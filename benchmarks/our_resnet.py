"""Our networks on random images, and steps of their training: contestants of `training.py`."""

from collections.abc import Callable, Sequence

import numpy as np

from residual_ensembles import models
from residual_ensembles.training import Gating, Trainer, compile_trainer

SHAPE, CLASSES = (32, 32, 3), 10
STATISTICS_IMAGES = 128


def random_network(depth: int, n_images: int, shape: tuple[int, int, int] = SHAPE) -> tuple:
    """Returns a ResNet whose batch-norm statistics fit its random weights, images and labels."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (n_images, *shape)).astype(np.uint8)
    labels = random.integers(0, CLASSES, n_images).astype("int32")
    chain = models.build("resnet", depth, shape, CLASSES, [125.0] * shape[-1], [60.0] * shape[-1])
    models.reestimate_batch_norm(chain, images[:STATISTICS_IMAGES])
    return chain, images, labels


def training_steps(
    chain, images: np.ndarray, labels: np.ndarray, gates: Sequence = (None,)
) -> Callable[[], object]:
    """Returns a function that runs a step of our `fit` for each of these gates."""
    trainer = Trainer(chain)
    compile_trainer(trainer, 1e-3, 1e-4)

    def batches():
        for each in gates:
            yield {"images": images, **({} if each is None else {"gates": each})}, labels

    return lambda: trainer.fit(batches(), steps_per_epoch=len(gates), verbose=0, shuffle=False)


def gatings(n_modules: int) -> dict[str, Gating]:
    """Returns how each of our contestants draws its gates."""
    m = max(1, round(23 / 54 * n_modules))
    return {
        "full": Gating("none", n_modules),
        "effective_paths": Gating("effective_paths", n_modules, m),
        "stochastic_depth": Gating("stochastic_depth", n_modules),
        "open_gates": Gating("effective_paths", n_modules, n_modules),
    }


def typical_gates(gating: Gating, n_steps: int) -> list:
    """Returns the gates of the steps, of the first hundred, nearest to the mean of each stage."""
    drawn = [gating.draw(0, step) for step in range(100)]
    if drawn[0] is None:
        return drawn[:n_steps]
    per_stage = np.reshape(drawn, (len(drawn), 3, -1)).sum(axis=2)
    off = np.square(per_stage - per_stage.mean(axis=0)).sum(axis=1)
    return [drawn[i] for i in np.argsort(off, kind="stable")[:n_steps]]


def steps(
    kind: str, dtype: str, depth: int, images: np.ndarray, labels: np.ndarray, n_steps: int
) -> tuple[Callable[[], object], int]:
    """Returns a function that runs a few steps of our `fit`, and the number of weights."""
    gating = gatings(models.n_modules("resnet", depth))[kind]
    chain = models.build(
        "resnet",
        depth,
        images.shape[1:],
        int(labels.max()) + 1,
        [125.0] * 3,
        [60.0] * 3,
        dtype=dtype,
        survival=gating.survival,
    )
    run = training_steps(chain, images, labels, typical_gates(gating, n_steps))
    return run, sum(int(np.prod(v.shape)) for v in chain.trainable_variables)
