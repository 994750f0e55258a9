"""The true cost of lesions: the error and the loss that they bring."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from keras import ops, tree

from residual_ensembles.lesions import Lesion, outputs_of
from residual_ensembles.paths.loss import MeanLoss


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
    chain, lesions: Sequence[Lesion], inputs, targets, loss: MeanLoss, labels=None, **options
) -> Costs:
    """Returns error and loss after each lesion.

    Args:
        chain: The network.
        lesions: Any lesions that it can bear.
        inputs: As `chain.packed_inputs` returns them.
        targets: As `loss.targets` returns them.
        loss: Of the network.
        labels: Class of each example, `(n,)`; None where errors do not count.
        **options: As for `outputs_of`.

    Raises:
        ArithmeticError: The loss after a lesion is not finite.
    """
    sums, n_wrong = np.zeros(len(lesions)), np.zeros(len(lesions), int)
    for some, outputs in outputs_of(chain, lesions, inputs, **options):
        these = tree.map_structure(lambda x, some=some: ops.convert_to_tensor(x[some]), targets)
        n = some.stop - some.start
        for i, made in enumerate(outputs):
            sums[i] += n * float(loss(these, ops.convert_to_tensor(made)))
        if labels is not None:
            n_wrong += (outputs.argmax(axis=2) != labels[some]).sum(axis=1)
    if not np.isfinite(sums).all():
        lesion = lesions[int(np.flatnonzero(~np.isfinite(sums))[0])]
        raise ArithmeticError(
            f"The loss {loss.name} of {chain.name} is not finite after the lesion "
            f"{str(lesion)!r}, expected a number: look for targets that the loss cannot take."
        )
    return Costs(n_wrong if labels is not None else None, sums / len(inputs))
