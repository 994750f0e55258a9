"""Block influence: how much a module turns what passes through (Men et al. 2024)."""

from typing import Any

import numpy as np
from keras import ops

from residual_ensembles import backend
from residual_ensembles.models.chain import segment_of
from residual_ensembles.models.protocols import ChainLike


def block_influence(chain: ChainLike, inputs: Any, batch_size: int = 32) -> np.ndarray:
    """Returns the block influence of each module, 0..2, `(n_modules,)`.

    One minus the cosine between what enters and what leaves (ShortGPT, arXiv 2403.03853, equation
    1), along the channels at each place of a map or a sequence, its mean over places and examples.
    Where a module changes the shape, what its skip would have given stands for what enters.

    Args:
        chain: The network; one pass forward is all that it takes.
        inputs: As `chain.packed_inputs` returns them.
        batch_size: Examples that pass together.
    """
    influence = backend.compile(lambda x: _of_batch(chain, x))
    parts = range(0, len(inputs), batch_size)
    found = [np.asarray(influence(inputs[i : i + batch_size])) for i in parts]
    sizes = [len(inputs[i : i + batch_size]) for i in parts]
    return np.average(found, axis=0, weights=sizes)


def _of_batch(chain, x):
    y, found = chain.stem(x, training=False), []
    for position, module in enumerate(chain.modules, start=1):
        left = module(y, training=False)
        before, after = module.stream(y), module.left_stream(left)
        if before.shape[1:] != after.shape[1:]:
            before = module.left_stream(module.deleted(y, training=False))
        found.append(1.0 - ops.mean(_cosine(before, after, module.channel_axis)))
        segment = segment_of(chain, position)
        y = left if segment is None else segment(left, training=False)
    return ops.stack(found)


def _cosine(a, b, axis: int):
    """Returns the cosine along an axis; 1 where both are 0, for then nothing turned."""
    a, b = ops.cast(a, "float32"), ops.cast(b, "float32")
    sizes = ops.sqrt(ops.sum(a * a, axis) * ops.sum(b * b, axis))
    same = ops.cast(ops.all(a == b, axis), "float32")
    return ops.where(sizes > 0, ops.sum(a * b, axis) / ops.maximum(sizes, 1e-30), same)
