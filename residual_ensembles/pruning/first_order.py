"""What deleting a module does to the loss, to first order (Molchanov et al. 2017)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops, tree

from residual_ensembles import backend
from residual_ensembles.backend.precision import compiled
from residual_ensembles.models.chain import segment_of
from residual_ensembles.models.protocols import ChainLike


def first_order(
    chain: ChainLike, inputs: Any, targets: Any, loss: Callable, batch_size: int = 32
) -> np.ndarray:
    """Returns the estimated change of the mean loss for each module's deletion, `(n_modules,)`.

    The gradient of the loss with respect to the sum, times what the deletion takes from the sum:
    the residual, with its sign turned (Molchanov et al. 2017, equation 4, with the sign kept).

    Args:
        chain: The network; one pass forward and one backward is all that it takes.
        inputs: As `chain.packed_inputs` returns them.
        targets: What the loss compares with.
        loss: From targets and outputs `(batch, numbers)` of a batch to its mean loss.
        batch_size: Examples that pass together.
    """
    estimate = compiled(lambda x, t: _of_batch(chain, x, t, loss))
    parts = [slice(i, i + batch_size) for i in range(0, len(inputs), batch_size)]
    found = [
        np.asarray(estimate(inputs[p], tree.map_structure(lambda t, p=p: t[p], targets)))
        for p in parts
    ]
    return np.average(found, axis=0, weights=[len(inputs[p]) for p in parts])


def _of_batch(chain, x, targets, loss: Callable):
    """One pass that notes what each deletion takes from the sum, and the gradient of the sums."""
    taken = []

    def whole(added):
        y = chain.stem(x, training=False)
        for position, module in enumerate(chain.modules, start=1):
            total = module.residual(y)
            total = total + module.skip(y) if module.has_skip else total
            if added is None:
                taken.append(module.bypass(y) - total)
            else:
                total = total + added[position - 1]
            y = module.after(total)
            segment = segment_of(chain, position)
            y = y if segment is None else segment(y, training=False)
        return loss(targets, chain.head(y, training=False))

    whole(None)
    _, pull = backend.vjp(lambda *added: whole(added), *map(ops.zeros_like, taken))
    gradients = pull(ops.ones((), "float32"))
    products = [ops.sum(g * t) for g, t in zip(gradients, taken, strict=True)]
    return ops.stack([ops.cast(p, "float32") for p in products])
