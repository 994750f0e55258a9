"""The true cost of lesions: the error and the loss that they bring."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops, tree

from residual_ensembles.lesions import Lesion, outputs_of
from residual_ensembles.lesions.grid import MEMORY_BYTES
from residual_ensembles.lesions.metric import Comparison, metrics_for
from residual_ensembles.models.protocols import ChainLike
from residual_ensembles.paths.loss import MeanLoss
from residual_ensembles.runtime.executor import Executor, ignore


class Costs(NamedTuple):
    """What lesions cost, `(n_lesions,)` each."""

    n_wrong: np.ndarray | None
    """Examples whose class is wrong; None where targets are no class labels."""
    loss: np.ndarray
    """Mean loss."""
    metrics: dict[str, np.ndarray]
    """Further metrics by name; nothing is chosen by them."""

    def order(self) -> np.ndarray:
        """Returns the lesions by their cost: errors first, and of as many the loss."""
        return (
            np.argsort(self.loss) if self.n_wrong is None else np.lexsort((self.loss, self.n_wrong))
        )


class Computing(NamedTuple):
    """How lesions are computed; see `lesion_study`."""

    executor: Executor | None = None
    precision: str = "float32"
    memory_bytes: int = MEMORY_BYTES
    batch_size: int | None = None
    seed: int = 0
    progress: Callable[[float], object] = ignore


def costs_of(
    chain: ChainLike,
    lesions: Sequence[Lesion],
    inputs: Any,
    targets: Any,
    loss: MeanLoss,
    labels: np.ndarray | None = None,
    computing: Computing = Computing(),  # noqa: B008 - a value that cannot change
    compared: Comparison = Comparison(),  # noqa: B008
    given_targets: Any = None,
) -> Costs:
    """Returns error, loss and metrics after each lesion.

    Args:
        chain: The network.
        lesions: Any lesions that it can bear.
        inputs: As `chain.packed_inputs` returns them.
        targets: As `loss.targets` returns them.
        loss: Of the network.
        labels: Class of each example, `(n,)`; None where errors do not count.
        computing: How outputs are computed.
        compared: Whose metrics are measured too.
        given_targets: What metrics compare with.

    Raises:
        ArithmeticError: The loss after a lesion is not finite.
    """
    sums, n_wrong = np.zeros(len(lesions)), np.zeros(len(lesions), int)
    metrics, wanted = metrics_for(chain, compared, given_targets, len(inputs), len(lesions))
    for some, outputs in outputs_of(chain, lesions, inputs, **computing._asdict()):
        own = [tree.map_structure(lambda t, s=some: np.asarray(t)[s], each) for each in wanted]
        for of_lesion, made in zip(metrics, outputs, strict=True):
            for metric, target in zip(of_lesion, own, strict=True):
                metric.update_state(target, chain.unpacked_outputs(made))
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
    measured = {
        metric.name: np.array([float(of_lesion[place].result()) for of_lesion in metrics])
        for place, metric in enumerate(metrics[0])
    }
    return Costs(n_wrong if labels is not None else None, sums / len(inputs), measured)
