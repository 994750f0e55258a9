"""Measures of lesions: errors of class labels, or Keras metrics of any targets."""

from functools import partial
from typing import NamedTuple

import keras
import numpy as np
from keras import tree

from residual_ensembles.arguments import shown
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.targets import (
    check_comparable,
    check_numbers,
    class_labels,
    is_binary,
    n_classes,
)
from residual_ensembles.models.types import Metric, Targets

BY_SHAPE = {
    "accuracy": "accuracy",
    "acc": "accuracy",
    "crossentropy": "crossentropy",
    "ce": "crossentropy",
}
"""Names whose metric depends on the shapes of targets and outputs, as where a model is compiled."""
ERRORS = ("accuracy", "sparse_categorical_accuracy", "categorical_accuracy")
"""Names of metrics that are one minus the error of class labels."""


class Comparison(NamedTuple):
    """Class labels and metrics that the outputs of a network are evaluated with."""

    labels: np.ndarray | None = None
    """Class of each example, `(n,)`, where errors are counted."""
    metrics: tuple = ()
    """Metrics, as Keras takes them."""

    @property
    def names(self) -> list[str]:
        """Names of the columns that tables have for them."""
        errors = [] if self.labels is None else ["error_fraction"]
        return [*errors, *(copied(metric).name for metric in self.metrics)]


def comparison(
    chain: Chain, targets: Targets, metric: Metric | None, n: int, only_errors: bool = False
) -> Comparison:
    """Returns the labels and metrics that lesions are measured by: see `lesion_study`.

    With `only_errors`, metrics that a model was compiled with are left out.
    """
    if targets is None:
        return Comparison()
    if metric is not None:
        several = metric if isinstance(metric, list | tuple) else [metric]
        return Comparison(None, tuple(_by_shape(chain, each, targets) for each in several))
    known = tuple(_by_shape(chain, each, targets) for each in chain.compiled_with.metrics)
    if n_classes(chain) is None:
        return Comparison(None, known or (_default_metric(chain, targets),))
    try:
        labels = class_labels(chain, targets, n)
    except ValueError:
        if not known:
            raise
        return Comparison(None, known)
    others = () if only_errors else tuple(m for m in known if copied(m).name not in ERRORS)
    return Comparison(labels, others)


def metrics_for(
    chain: Chain, chosen: Comparison, targets: Targets, n: int, n_lesions: int
) -> tuple[list[list[keras.metrics.Metric]], list]:
    """Returns the metrics of each lesion, tried on a few targets, and the targets of each."""
    if not chosen.metrics:
        return [[] for _ in range(n_lesions)], []
    lengths = {len(x) for x in tree.flatten(targets)}
    if lengths != {n}:
        raise ValueError(
            f"Received {', '.join(map(str, sorted(lengths)))} targets for {n} inputs, expected one "
            "for each."
        )
    check_numbers("targets", targets)
    wanted = [_targets_for(chain, metric, targets, chosen.labels) for metric in chosen.metrics]
    for metric, own in zip(chosen.metrics, wanted, strict=True):
        name = f"the metric {copied(metric).name}"
        result = check_comparable(chain, name, partial(_value, metric), own)
        if result.ndim:
            raise ValueError(
                f"Received {name}, which makes {result.size} numbers, expected one; some metrics "
                "take average='macro'."
            )
    return [[copied(metric) for metric in chosen.metrics] for _ in range(n_lesions)], wanted


def update(chain: Chain, metrics: list, wanted: list, some: slice, outputs) -> None:
    """Updates what `metrics_for` returned with outputs `(n_lesions, n, numbers)` of a slice."""
    targets = [tree.map_structure(lambda t: np.asarray(t)[some], own) for own in wanted]
    for of_lesion, made in zip(metrics, outputs, strict=True):
        for metric, target in zip(of_lesion, targets, strict=True):
            metric.update_state(target, chain.unpacked_outputs(made))


def results(metrics: list[list[keras.metrics.Metric]]) -> dict[str, list[float]]:
    """Returns the results of all lesions by the name of the metric."""
    return {own[0].name: [float(m.result()) for m in own] for own in zip(*metrics, strict=True)}


def copied(metric: Metric) -> keras.metrics.Metric:
    """Returns a copy of a metric without its state."""
    if isinstance(metric, keras.losses.Loss):
        raise ValueError(
            f"Received the loss {metric.name}, expected a metric: keras.metrics has one for each."
        )
    if isinstance(metric, keras.metrics.Metric):
        return type(metric).from_config(metric.get_config())
    try:
        result = keras.metrics.get(metric)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Received metric={shown(metric)}, expected what keras.metrics.get takes: a name such "
            "as 'mean_squared_error', a keras.metrics.Metric, or a function of (y_true, y_pred)."
        ) from error
    if isinstance(result, keras.metrics.Metric):
        return result
    name = metric if isinstance(metric, str) else getattr(result, "__name__", "metric")
    return keras.metrics.MeanMetricWrapper(partial(result), name=name)


def _by_shape(chain: Chain, metric: Metric, targets) -> Metric:
    """Resolves the names in `BY_SHAPE` as Keras does when it compiles a model."""
    kind = BY_SHAPE.get(metric) if isinstance(metric, str) else None
    if kind is None:
        return metric
    [shape, *more], arrays = chain.output_shapes, tree.flatten(targets)
    if more or len(arrays) != 1:
        raise ValueError(
            f"Received metric={shown(metric)} for several outputs or targets, expected a metric "
            "that compares them all."
        )
    own = np.shape(arrays[0])
    if tuple(shape)[-1:] in ((), (1,)):
        return f"binary_{kind}"
    is_sparse = len(own) < 1 + len(shape) or own[-1] == 1
    return f"{'sparse_' if is_sparse else ''}categorical_{kind}"


def _default_metric(chain: Chain, targets) -> Metric:
    """Returns the default metric of a network without several classes."""
    if not is_binary(chain, targets):
        return "mean_squared_error"
    threshold = 0.5 if chain.probabilities else 0.0
    return keras.metrics.BinaryAccuracy(threshold=threshold)


def _targets_for(chain: Chain, metric: Metric, targets, labels: np.ndarray | None):
    """Returns targets as a metric takes them: class labels as numbers or one-hot."""
    classes = n_classes(chain)
    if labels is None or classes is None:
        return targets
    name = copied(metric).name
    if name.startswith("sparse"):
        return labels
    return np.eye(classes, dtype="float32")[labels] if "categorical" in name else targets


def _value(metric: Metric, targets, outputs) -> np.ndarray:
    made = copied(metric)
    made.update_state(targets, outputs)
    return np.asarray(made.result())
