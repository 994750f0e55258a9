"""The true cost of lesions: the error and the loss that they bring."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from keras import ops

from residual_ensembles.lesions import Lesion, outputs_of
from residual_ensembles.lesions.examples import class_labels
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


def targets_for(chain, targets, n: int, loss: Callable | None) -> np.ndarray:
    """Returns targets as a loss takes them: class labels where there is none.

    Args:
        chain: The network.
        targets: Class labels, or what the loss compares with.
        n: Inputs.
        loss: As for `costs_of`.

    Raises:
        ValueError: There are not as many as inputs, or they are no class labels and there is no
            loss for others.
    """
    if loss is None:
        return class_labels(chain, targets, n, "loss=..., a function of outputs and targets")
    found = np.asarray(targets)
    if found.shape[:1] != (n,):
        raise ValueError(
            f"Received targets of shape {found.shape} for {n} inputs, expected one for each."
        )
    return found


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
