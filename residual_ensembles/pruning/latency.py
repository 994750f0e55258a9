"""How long a model takes, beside another one."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops, tree

from residual_ensembles import backend

ROUNDS = 9


def latencies(models: Sequence, inputs: Any) -> list[float]:
    """Returns the median time of one compiled pass of each model, in milliseconds.

    They take turns, so that what else the machine does falls on all of them.

    Args:
        models: Keras models that take the same inputs.
        inputs: One batch.
    """
    batch = tree.map_structure(ops.convert_to_tensor, inputs)
    passes = [backend.compile(lambda x, m=model: m(x, training=False)) for model in models]
    for run in passes:
        _wait(run(batch))  # compiles
    found = np.array([[_timed(run, batch) for run in passes] for _ in range(ROUNDS)])
    return (1000 * np.median(found, axis=0)).tolist()


def _timed(run, batch) -> float:
    start = time.perf_counter()
    _wait(run(batch))
    return time.perf_counter() - start


def _wait(outputs) -> None:
    for output in tree.flatten(outputs):
        ops.convert_to_numpy(output)
