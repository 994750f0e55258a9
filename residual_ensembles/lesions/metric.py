"""A Keras metric for each lesion, of targets that are no class labels."""

from functools import partial

import keras
import numpy as np
from keras import ops, tree

from residual_ensembles.models.targets import check_not_spread, check_numbers

BY_SHAPE = {
    "accuracy": "sparse_categorical_accuracy",
    "acc": "sparse_categorical_accuracy",
    "crossentropy": "sparse_categorical_crossentropy",
    "ce": "sparse_categorical_crossentropy",
}
"""Names that Keras reads by the shape of targets when it compiles a model, and one that says it."""
TRIED = 2


def metrics_for(chain, metric, targets, n: int, n_lesions: int) -> list[keras.metrics.Metric]:
    """Returns a metric of its own for each lesion, tried on a few targets.

    Args:
        chain: The network.
        metric: A Keras metric, its class or its name, or a function of targets and outputs that
            returns one number for each example.
        targets: An array, or several, structured as the metric wants them.
        n: Inputs.
        n_lesions: Lesions.

    Raises:
        ValueError: There are not as many targets as inputs, or the metric does not make one number
            of targets and outputs.
    """
    lengths = {len(x) for x in tree.flatten(targets)}
    if lengths != {n}:
        raise ValueError(
            f"Received {', '.join(map(str, sorted(lengths)))} targets for {n} inputs, expected one "
            "for each."
        )
    check_numbers("targets", targets)
    found = [copied(metric) for _ in range(n_lesions)]
    _try(chain, copied(metric), tree.map_structure(lambda x: np.asarray(x)[:TRIED], targets))
    return found


def copied(metric) -> keras.metrics.Metric:
    """Returns a metric like another one, without what it has seen.

    Args:
        metric: As for `metrics_for`.

    Raises:
        ValueError: It is none, or only its place in a compiled model would say which.
    """
    if isinstance(metric, str) and metric in BY_SHAPE:
        raise ValueError(
            f"Received metric={metric!r}, which means another metric for each shape of targets, "
            f"expected one by its own name, for instance metric={BY_SHAPE[metric]!r}."
        )
    if isinstance(metric, keras.losses.Loss):
        raise ValueError(
            f"Received the loss {metric.name}, expected a metric: keras.metrics has one for each."
        )
    if isinstance(metric, keras.metrics.Metric):
        return type(metric).from_config(metric.get_config())
    found = keras.metrics.get(metric)
    if isinstance(found, keras.metrics.Metric):
        return found
    name = metric if isinstance(metric, str) else getattr(found, "__name__", "metric")
    return keras.metrics.MeanMetricWrapper(partial(found), name=name)


def _try(chain, metric, targets) -> None:
    n = len(tree.flatten(targets)[0])
    numbers = chain.compute_output_shape((None, *chain.picture_shape))[-1]
    try:
        metric.update_state(targets, chain.unpacked_outputs(ops.zeros((n, numbers))))
        result = np.asarray(metric.result())
    except Exception as error:  # whoever wrote the metric decides of which type
        raise ValueError(
            f"Received the metric {metric.name}, which cannot compare the targets with outputs of "
            f"shape {chain.output_shapes}: {str(error).splitlines()[0]}"
        ) from error
    shapes = chain.output_shapes
    if len(shapes) == 1 and not result.ndim:

        def value(y_true, y_pred):
            again = copied(metric)
            again.update_state(y_true, y_pred)
            return np.asarray(again.result())

        check_not_spread(f"the metric {metric.name}", value, targets, tuple(shapes[0]))
    if result.ndim:
        raise ValueError(
            f"Received the metric {metric.name}, which makes {result.size} numbers, expected one; "
            "some metrics take average='macro'."
        )
