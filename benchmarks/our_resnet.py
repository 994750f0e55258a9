"""Training steps of our networks: contestants of `training.py`."""

from collections.abc import Callable

import numpy as np

from residual_ensembles import models
from residual_ensembles.training import Gating, Trainer, compile_trainer


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
    """Returns a function that runs a few steps of our `fit`, and the number of weights.

    Args:
        kind: One of `gatings`.
        dtype: "float32" or "mixed_bfloat16".
        depth: 6n + 2.
        images: uint8 `(batch, height, width, channels)`.
        labels: int `(batch,)`.
        n_steps: Steps, all on the same batch.
    """
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
    trainer = Trainer(chain)
    compile_trainer(trainer, 1e-3, 1e-4)
    chosen = typical_gates(gating, n_steps)

    def batches():
        for gates in chosen:
            yield {"images": images, **({} if gates is None else {"gates": gates})}, labels

    def run():
        trainer.fit(batches(), steps_per_epoch=n_steps, verbose=0, shuffle=False)

    return run, sum(int(np.prod(v.shape)) for v in chain.trainable_variables)
