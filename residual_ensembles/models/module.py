"""The residual module, base of every module of a chain (section 3, equation 1)."""

import math
from typing import Any

import keras
from keras import ops

from residual_ensembles.arguments import checked
from residual_ensembles.models.nesting import build_once, deserialized
from residual_ensembles.models.types import Tensor


@keras.saving.register_keras_serializable("residual_ensembles")
@checked
class Module(keras.layers.Layer):
    """One step of a chain: `y_i = after(skip(y_{i-1}) + residual(y_{i-1}))`.

    The residual is the transform f times the survival probability: a network that was trained with
    gates is scaled by it whenever there is no gate, as Huang et al. (2016, section 3) do at test
    time. Veit et al. do not say whether they did so for effective paths; without it the error of
    such a network on digits was 88 % instead of 1.9-3 %.

    Args:
        transform: Layer f from `(batch, ...)` to the module's output shape.
        shortcut: Layer that brings y to the shape of f(y); None for the identity.
        activation: Layer that follows the sum, as the ReLU of first-generation ResNets; it stays
            when the residual is deleted. None for the identity.
        survival_probability: Share of the training batches in which the residual runs,
            0 < share <= 1.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        TypeError: An argument is of the wrong kind.
        ValueError: `survival_probability` is not larger than 0 and at most 1.
    """

    has_skip = True
    scales_residual = True
    """Whether a gate between 0 and 1 scales the residual; if not, a gate is 0 or 1."""
    channel_axis = -1
    """Axis of the channels of its input."""

    def __init__(
        self,
        transform,
        shortcut: keras.layers.Layer | None = None,
        activation: keras.layers.Layer | None = None,
        survival_probability: float = 1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not 0.0 < survival_probability <= 1.0:
            raise ValueError(
                f"Received survival_probability={survival_probability}, expected a number larger "
                "than 0 and at most 1."
            )
        self.transform = transform
        self.shortcut = shortcut
        self.activation = activation
        self.survival_probability = float(survival_probability)

    @property
    def is_identity_when_deleted(self) -> bool:
        """Whether the deleted module is known to be the identity; for modules with a lowering, see
        `Lowered.is_identity_when_deleted`.
        """
        return False

    @property
    def title(self) -> str:
        """Name of the module in tables."""
        return self.name

    def stream(self, y):
        """Returns the tensor that the module acts on, from the packed input."""
        return y

    def output_stream(self, y):
        """Returns the same tensor from the packed output."""
        return y

    def residual(self, y, training=False):
        """Returns what is added to the skip: f(y) times the survival probability."""
        return scaled(self.transform(y, training=training), self.survival_probability)

    def skip(self, y, training=False):
        """Returns the skip: y, or its projection."""
        return y if self.shortcut is None else self.shortcut(y, training=training)

    def after(self, z):
        """Returns the output, from the sum of skip and residual."""
        return z if self.activation is None else self.activation(z)

    def bypass(self, y, training=False):
        """Returns what replaces the sum when the residual is deleted: the skip, by default."""
        return self.skip(y, training=training)

    def deleted(self, y, training=False):
        """Returns the output of the deleted module (section 4.1)."""
        return self.after(self.bypass(y, training=training))

    def run(self, y, scale, training=False):
        """Returns the module's output with f(y) multiplied by `scale`."""
        residual = scaled(self.transform(y, training=training), scale)
        return self.after(self.skip(y, training=training) + residual)

    def call(self, y, gate=None, training=None):
        """Runs the module.

        Args:
            y: Tensor `(batch, ...)`.
            gate: None, or a scalar tensor: a number 0..1 that the residual is multiplied by, or a
                boolean, which saves the multiplication. The residual is f(y) itself in training,
                f(y) times the survival probability otherwise, as without a gate. Where the gate is
                0, f is not computed, forward or backward, and its batch-norm statistics do not
                change.
            training: Whether batch normalization uses the statistics of the batch.
        """
        training = bool(training)
        if gate is None:
            return self.run(y, self.survival_probability, training=training)
        scale = 1.0 if training else self.survival_probability
        is_open = gate
        if keras.backend.standardize_dtype(gate.dtype) != "bool":
            is_open, scale = gate > 0, gate * scale
        # A branch must not assign state (JAX forbids it): both return the new state, which is
        # assigned here. The weights are read here too, so that gradients reach them.
        values = [(v, ops.convert_to_tensor(v.value)) for v in self.variables]
        state = [v for v in self.variables if training and not v.trainable]

        def branch(function, *arguments):
            with keras.StatelessScope(state_mapping=values) as scope:
                output = function(*arguments, training=training)
                return output, [scope.get_current_value(v) for v in state]

        output, new_state = ops.cond(
            is_open,
            lambda: branch(self.run, y, scale),
            lambda: branch(self.deleted, y),
        )
        for variable, value in zip(state, new_state, strict=True):
            variable.assign(value)
        return output

    @property
    def own_variables(self) -> list[keras.Variable]:
        """Variables of the module, trainable or not, without those of a segment after it."""
        return self.variables

    @property
    def gated_layers(self) -> list[keras.layers.Layer]:
        """The layers that run only where the residual does."""
        return [self.transform]

    @property
    def gated_variables(self) -> list[keras.Variable]:
        """The variables, trainable or not, that only the residual uses."""
        return [v for layer in self.gated_layers for v in layer.variables]

    @property
    def keeps_shape(self) -> bool:
        """Whether output and input of the module have one shape."""
        return self.shapes[0] == self.shapes[1]

    @property
    def input_layout(self):
        """Shape of the input, or more; equal for two modules that can change places."""
        return tuple(self.shapes[0])

    def build(self, input_shape):
        shape = build_once(self.transform, input_shape)
        if self.shortcut is not None:
            build_once(self.shortcut, input_shape)
        if self.activation is not None:
            shape = build_once(self.activation, shape)
        self.shapes = tuple(input_shape[1:]), shape[1:]

    def compute_output_shape(self, input_shape):
        shape = self.transform.compute_output_shape(input_shape)
        return shape if self.activation is None else self.activation.compute_output_shape(shape)

    def get_config(self):
        layers = ("transform", "shortcut", "activation")
        serialized = {n: keras.saving.serialize_keras_object(getattr(self, n)) for n in layers}
        survival = {"survival_probability": self.survival_probability}
        return {**super().get_config(), **serialized, **survival}

    @classmethod
    def from_config(cls, config):
        return cls(**deserialized(config, "transform", "shortcut", "activation"))


def scaled(residual: Tensor, scale: Any):
    """Returns `residual * scale`, without an operation where the scale is the number 1."""
    if isinstance(scale, float) and scale == 1.0:
        return residual
    return residual * ops.cast(scale, residual.dtype)


def multiply_adds(layer, output_shape: tuple) -> float:
    """Returns an estimate of the multiply-adds of a module or a segment for one image.

    Each weight of a kernel counts once for each position of the output, channels last: exact where
    all convolutions in the layer have one resolution.
    """
    kernels = [v.shape for v in layer.variables if len(v.shape) > 1]
    return float(math.prod(output_shape[:-1]) * sum(map(math.prod, kernels)))
