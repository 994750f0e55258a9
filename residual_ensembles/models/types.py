"""Types of the arguments of public functions, and of what a model was compiled with."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

Tensor = Any
"""A tensor of the backend, or a NumPy array."""
DType = Any
"""A dtype or a dtype policy as Keras layers take it, for instance "float32"."""
Inputs = Any
"""Inputs as `keras.Model.predict` takes them: an array, or a list or a dictionary of arrays, one
row for each example; where many are taken, also a `tf.data.Dataset` or a `keras.utils.PyDataset`,
with targets or without."""
Targets = Any
"""Targets, one for each example: class numbers `(n,)`, one-hot rows `(n, classes)`, or
whatever the loss and the metrics compare with the outputs."""
Loss = str | Callable | Sequence | Mapping
"""A loss as `keras.losses.get` takes it: a name, a `keras.losses.Loss`, or a function of (y_true,
y_pred); for several outputs also a list or a dictionary of these, one for each."""
Metric = str | Callable | Sequence
"""A metric as `keras.metrics.get` takes it: a name, a `keras.metrics.Metric` or its class, or a
function of (y_true, y_pred); where several are measured, a list of these."""


class Compilation(NamedTuple):
    """Loss and metrics that a Keras model was compiled with; empty for one that was not."""

    loss: Loss | None = None
    loss_weights: Sequence[float] | Mapping[str, float] | None = None
    metrics: tuple[Metric, ...] = ()
    """Metrics of a model with one output; those of several outputs are left out."""
