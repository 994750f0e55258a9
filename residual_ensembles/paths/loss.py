"""The loss that gradients are of: cross entropy, from logits or from probabilities."""

from collections.abc import Callable
from functools import partial

import numpy as np
from keras import ops

# Below this, float32 knows no probability; the gradient of a class that is less likely is 0.
SMALLEST = float(np.finfo(np.float32).tiny)


def cross_entropy(chain) -> Callable:
    """Returns the mean cross entropy of a batch, in nats, for what a chain puts out.

    Args:
        chain: Its output is `(batch, classes)`; logits, or probabilities where
            `probabilities` says so. One output alone is that of the second of two classes.

    Returns:
        A function of outputs and labels `(batch,)`.
    """
    return partial(_mean_cross_entropy, probabilities=chain.probabilities)


def _mean_cross_entropy(outputs, labels, probabilities: bool):
    return mean_cross_entropy(logits_of(outputs, probabilities), labels)


def mean_cross_entropy(logits, labels):
    """Returns the loss that networks are trained with: the mean over a batch, in nats."""
    labels = ops.cast(labels, "int32")
    own = ops.take_along_axis(ops.log_softmax(logits), labels[:, None], axis=-1)
    return -ops.mean(own)


def logits_of(outputs, probabilities: bool):
    """Returns logits `(batch, classes)` whose softmax is what the network says.

    Args:
        outputs: `(batch, classes)`, or `(batch, 1)` for two classes.
        probabilities: Whether outputs are probabilities, as after a softmax or a sigmoid.
    """
    if outputs.shape[-1] == 1:
        other = 1.0 - outputs if probabilities else ops.zeros_like(outputs)
        outputs = ops.concatenate([other, outputs], axis=-1)
    return ops.log(ops.maximum(outputs, SMALLEST)) if probabilities else outputs
