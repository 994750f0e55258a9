"""Mean loss of the outputs of a chain: any loss of Keras, or a default that fits."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import keras
import numpy as np
from keras import ops, tree

from residual_ensembles.arguments import see, shown
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.targets import (
    check_comparable,
    check_numbers,
    class_labels,
    is_binary,
    n_classes,
)
from residual_ensembles.models.types import Loss, Targets, Tensor

# Smallest probability in float32; the gradient of a class that is less likely is 0.
SMALLEST = float(np.finfo(np.float32).tiny)
ALTERNATIVE = "loss=..., for instance loss='mean_squared_error'"
CROSS_ENTROPY = "cross_entropy"
"""Name of our cross entropy of class labels, from logits or from probabilities however small."""


class MeanLoss:
    """A loss as `keras.Model.compile` takes it, called with targets and outputs of a head.

    Args:
        chain: Network that the loss is for.
        loss: Whatever `keras.losses.get` takes: a name, an object, or a function of (y_true,
            y_pred) that returns one number, or one for each example. With several outputs, a loss
            of Keras is applied to each and summed, a list or a dictionary has one for each output,
            and another function compares all outputs at once. None for the loss and loss weights
            that the model was compiled with; without them, the cross entropy of class labels, where
            a single output is that of the second of two classes; for outputs that are not classes,
            the mean squared error.
        targets: Targets, which choose between the last two where outputs alone do not.

    Raises:
        ValueError: Keras knows no such loss, or the number of losses is not that of outputs.
    """

    def __init__(self, chain: Chain, loss: Loss | None = None, targets: Targets = None):
        self.chain = chain
        self.function = _function(chain, loss)
        is_classifier = n_classes(chain) is not None
        if targets is not None and not is_classifier:
            is_classifier = is_binary(chain, targets)
        if self.function is None and targets is not None and not is_classifier:
            self.function = _function(chain, "mean_squared_error")
        self.is_default = loss is None
        self.name = CROSS_ENTROPY if self.function is None else _name(self.function)
        """Name of the loss in Keras."""
        self._was_tried = False

    def targets(self, targets: Targets, n: int) -> Targets:
        """Returns targets as the loss takes them; classes may be numbers or one-hot."""
        if targets is None:
            raise ValueError(
                f"Received no targets for {n} inputs, expected the class of each, or what the loss "
                f"{self.name} takes, as an array or in a data set of inputs and targets."
            )
        if self.function is None:
            return class_labels(self.chain, targets, n, ALTERNATIVE, self._classes)
        if isinstance(self.function, PerOutput) and isinstance(targets, Mapping):
            names = self.chain.names_of_outputs
            if set(names) <= set(targets):
                targets = [targets[name] for name in names]
        targets = tree.map_structure(np.asarray, targets)
        check_numbers("targets", targets, n)
        if _is_of_keras(self.function) and "categorical" in self.name:
            targets = self._class_targets(targets, n)
        if not self._was_tried:
            value = partial(_mean, self.function)
            check_comparable(self.chain, f"the loss {self.name}", value, targets)
            self._was_tried = True
        return targets

    def labels(self, targets: Targets, n: int) -> np.ndarray | None:
        """Returns the class of each example if the loss is the default and targets are classes."""
        if not self.is_default or n_classes(self.chain) is None:
            return None
        try:
            return class_labels(self.chain, targets, n, ALTERNATIVE)
        except ValueError:
            if self.function is None:
                raise
            return None

    def __call__(self, targets: Targets, outputs: Tensor) -> Tensor:
        """Returns the mean loss of a batch: of `targets` and packed outputs of the head."""
        if self.function is None:
            return mean_cross_entropy(logits_of(outputs, self.chain.probabilities), targets)
        unpacked = self.chain.unpacked_outputs(ops.cast(outputs, "float32"))
        return _mean(self.function, targets, unpacked)

    @property
    def _classes(self) -> int | None:
        return 2 if [tuple(s) for s in self.chain.output_shapes] == [(1,)] else None

    def _class_targets(self, targets, n: int):
        """Returns class numbers or one-hot rows as the loss takes them; soft labels stay."""
        classes, is_sparse = n_classes(self.chain), self.name.startswith("sparse")
        if classes is None or not hasattr(targets, "shape"):
            return targets
        if is_sparse or targets.ndim == 1 or targets.shape[1] == 1:
            labels = class_labels(self.chain, targets, n, ALTERNATIVE)
            return labels if is_sparse else np.eye(classes, dtype="float32")[labels]
        broken = (targets < 0).any(axis=1) | (np.abs(targets.sum(axis=1) - 1) > 1e-3)
        if broken.any():
            raise ValueError(
                f"Received targets of shape {targets.shape} whose row {broken.argmax()} is no "
                f"mixture of classes, expected numbers that add up to 1 for {self.name}."
            )
        return targets


def _mean(function: Callable, y_true, y_pred):
    """Returns the mean of a Keras loss, as a compiled model calls it: with floats of one rank."""
    y_true, y_pred = tree.map_structure(
        lambda x: ops.convert_to_tensor(x, "float32"), (y_true, y_pred)
    )
    if isinstance(function, keras.losses.Loss):
        function = function.call  # whatever its reduction, this is the mean over examples
    elif _lacks_an_axis(y_true, y_pred):
        y_true = ops.expand_dims(y_true, -1)
    return ops.mean(ops.cast(function(y_true, y_pred), "float32"))


def _lacks_an_axis(y_true, y_pred) -> bool:
    """Whether targets are `(batch,)` where outputs are `(batch, 1)`."""
    if not (hasattr(y_true, "shape") and hasattr(y_pred, "shape")):
        return False
    return len(y_true.shape) == len(y_pred.shape) - 1 and y_pred.shape[-1] == 1


class PerOutput:
    """A loss for each of several outputs: the sum of their means, each times its weight.

    Losses are in the order of the outputs; None where one does not count.
    """

    def __init__(self, losses: list, weights: list[float]):
        self.losses = [None if loss is None else _keras_loss(loss) for loss in losses]
        self.weights = weights
        self.name = "+".join("none" if loss is None else _name(loss) for loss in self.losses)

    def __call__(self, y_true, y_pred):
        targets, outputs = tree.flatten(y_true), tree.flatten(y_pred)
        if len(targets) != len(outputs):
            raise ValueError(f"there are {len(targets)} targets for {len(outputs)} outputs")
        total = 0.0
        for loss, weight, target, output in zip(
            self.losses, self.weights, targets, outputs, strict=True
        ):
            if loss is not None:
                total = total + weight * _mean(loss, target, output)
        return total


def _function(chain: Chain, loss: Loss | None) -> Callable | None:
    """Returns the loss of the user, else of the model, else None."""
    weights = None
    if loss is None:
        compiled = chain.compiled_with
        loss, weights = compiled.loss, compiled.loss_weights
    if loss is None:
        return None
    n = len(chain.output_shapes)
    if isinstance(loss, Mapping) and "class_name" in loss:  # one loss, as Keras saves it
        loss = _keras_loss(loss)
    if isinstance(loss, Mapping | list | tuple):
        losses = _per_output(chain, "loss", loss)
        if n > 1 or losses[0] is None:
            return PerOutput(losses, _per_output(chain, "loss_weights", weights))
        [loss] = losses
    function = _keras_loss(loss)
    if n > 1 and _is_of_keras(function):
        return PerOutput([function] * n, _per_output(chain, "loss_weights", weights))
    return function


def _keras_loss(loss: Loss) -> Callable:
    try:
        return keras.losses.get(loss)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Received loss={shown(loss)}, expected what keras.losses.get takes: a name such as "
            "'mean_squared_error', a keras.losses.Loss, or a function of (y_true, y_pred). "
            + see("tutorials/your-own-network", "losses-and-metrics")
        ) from error


def _per_output(chain: Chain, name: str, values: Sequence | Mapping | None) -> list:
    """Returns losses or weights in the order of a chain's outputs; weights of 1 for None."""
    n = len(chain.output_shapes)
    if values is None:
        return [1.0] * n
    if isinstance(values, Mapping):
        names = chain.names_of_outputs
        if not set(values) <= set(names):
            raise ValueError(
                f"Received {name} for {', '.join(map(str, values))}, expected names of outputs of "
                f"{chain.name}: {', '.join(names)}."
            )
        return [values.get(each, None if name == "loss" else 1.0) for each in names]
    if len(values) != n:
        raise ValueError(
            f"Received {len(values)} of {name} for {n} outputs of {chain.name}, expected one each."
        )
    return list(values)


def _name(function) -> str:
    name = getattr(function, "name", None) or getattr(function, "__name__", "loss")
    return name if isinstance(name, str) else "loss"


def _is_of_keras(function) -> bool:
    """Whether a loss is defined by Keras, so that its targets are known."""
    owner = type(function) if isinstance(function, keras.losses.Loss) else function
    return getattr(owner, "__module__", "").startswith("keras.")


def mean_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Returns the mean cross entropy of a batch, in nats."""
    labels = ops.cast(labels, "int32")
    own = ops.take_along_axis(ops.log_softmax(logits), labels[:, None], axis=-1)
    return -ops.mean(own)


def logits_of(outputs: Tensor, probabilities: bool) -> Tensor:
    """Returns logits `(batch, classes)` whose softmax is the prediction of the network.

    One output, `(batch, 1)`, is that of the second of two classes.
    """
    if outputs.shape[-1] == 1:
        other = 1.0 - outputs if probabilities else ops.zeros_like(outputs)
        outputs = ops.concatenate([other, outputs], axis=-1)
    return ops.log(ops.maximum(outputs, SMALLEST)) if probabilities else outputs
