"""The true cost of lesions: the error and the loss that they bring."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from keras import ops

from residual_ensembles.lesions import Lesion, outputs_of
from residual_ensembles.paths.loss import cross_entropy


class Costs(NamedTuple):
    """What lesions cost, `(n_lesions,)` each."""

    n_wrong: np.ndarray | None
    """Examples whose class is wrong; None where targets are no class labels."""
    loss: np.ndarray
    """Mean loss."""

    def order(self) -> np.ndarray:
        """Returns the lesions by their cost: errors first, and of as many the loss."""
        return (
            np.argsort(self.loss) if self.n_wrong is None else np.lexsort((self.loss, self.n_wrong))
        )


def costs_of(
    chain, lesions: Sequence[Lesion], inputs, targets, loss: Callable | None, **options
) -> Costs:
    """Returns error and loss after each lesion.

    Args:
        chain: The network.
        lesions: Any lesions that it can bear.
        inputs: As `chain.packed_inputs` returns them.
        targets: Class labels, or what the loss compares with.
        loss: From outputs and targets of a batch to its mean loss; None for the cross entropy of
            class labels.
        **options: As for `outputs_of`.
    """
    own = cross_entropy(chain) if loss is None else loss
    sums, n_wrong = np.zeros(len(lesions)), np.zeros(len(lesions), int)
    for some, outputs in outputs_of(chain, lesions, inputs, **options):
        these = ops.convert_to_tensor(targets[some])
        n = some.stop - some.start
        for i, made in enumerate(outputs):
            sums[i] += n * float(own(ops.convert_to_tensor(made), these))
        if loss is None:
            n_wrong += (outputs.argmax(axis=2) != targets[some]).sum(axis=1)
    return Costs(n_wrong if loss is None else None, sums / len(inputs))
