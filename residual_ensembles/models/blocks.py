"""Blocks of the networks: batch normalization, convolution, and the pre-activation residual."""

import keras
import numpy as np
from keras import ops

from residual_ensembles import backend
from residual_ensembles.arguments import checked
from residual_ensembles.models import _keras_internals
from residual_ensembles.models.nesting import build_once
from residual_ensembles.models.targets import check_numbers
from residual_ensembles.models.types import DType, Tensor
from residual_ensembles.statistics.randomness import integer_seed

# The authors' Torch (nn.SpatialBatchNormalization) gives the new batch the weight 0.1 and adds
# 1e-5; Keras' defaults, 0.99 and 1e-3, are others.
MOMENTUM = 0.9
EPSILON = 1e-5


@keras.saving.register_keras_serializable("residual_ensembles")
@checked
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, over the last axis, with the backend's fused operation in training.

    Values, gradients and moving statistics are those of `keras.layers.BatchNormalization`.

    Args:
        momentum: Weight of the old moving statistics, 0..1.
        epsilon: Added to the variance.
        **kwargs: Other arguments of `keras.layers.BatchNormalization`.
    """

    def __init__(self, momentum: float = MOMENTUM, epsilon: float = EPSILON, **kwargs):
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)

    def call(self, inputs, training=None, mask=None):
        fused = (
            backend.fused_batch_norm is not None
            and training is True
            and mask is None
            and self.trainable
            and len(inputs.shape) == 4
            and self.compute_dtype != "float64"  # which no fused operation has
        )
        if not fused:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = backend.fused_batch_norm(
            inputs,
            ops.convert_to_tensor(self.gamma),
            ops.convert_to_tensor(self.beta),
            self.epsilon,
        )
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + new * (1.0 - self.momentum))
        return outputs


@checked
def reestimate_batch_norm(network: keras.Model, images: Tensor) -> None:
    """Sets a network's batch-norm statistics to those of `images`; no weight is trained.

    An untrained network normalizes by mean 0 and variance 1, whatever passes through: its residuals
    then grow or vanish with depth, and a mistake in a lesion need not show.

    Args:
        network: Any Keras model, whose moving means and variances are replaced.
        images: `(batch, height, width, channels)` in 0..255.

    Example:
        >>> before = chain(images)
        >>> reestimate_batch_norm(chain, images)
        >>> float(chain(images)[0, 0]) == float(before[0, 0])
        False
    """
    check_numbers("images", images)
    if not any(np.shape(images)[:1]):
        raise ValueError(f"Received images of shape {np.shape(images)}, expected a batch of them.")
    norms = [
        layer
        for layer in _keras_internals.flat_layers(network)
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0  # nothing of the old statistics is kept
        network(ops.convert_to_tensor(images), training=True)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def convolution(
    kernel_size: int, filters: int, strides: int, seed: int, name: str, dtype: DType
) -> keras.layers.Conv2D:
    """Returns a padded convolution without bias, which the batch normalization has.

    Initial weights are normal with variance 2 / (kernel_size² · filters): He et al. (2015,
    section 2.2, backward form), as in the authors' Torch code. They are a function of the seed and
    the layer's name, its address, for instance `stage2_block7_conv1`.
    """
    return keras.layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=keras.initializers.VarianceScaling(
            2.0, "fan_out", "untruncated_normal", seed=integer_seed(seed, name)
        ),
        name=name,
        dtype=dtype,
    )


def projection(
    filters: int, strides: int, seed: int, name: str, dtype: DType
) -> keras.layers.Conv2D:
    """Returns the 1×1 convolution that brings y to a new shape.

    A departure: it is applied to y itself. He et al. (2016b) apply it to the activation that the
    residual begins with; then skip and residual would share an operation, and what a lesion removes
    would not be clear.
    """
    return convolution(1, filters, strides, seed, name, dtype)


@keras.saving.register_keras_serializable("residual_ensembles")
class Preactivation(keras.layers.Layer):
    """Batch normalization and ReLU before each convolution: `W σ(B(W' σ(B(x))))`.

    Args:
        convolutions: One `(kernel_size, filters, strides)` for each convolution, in order.
        seed: Seed of the initial weights.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, convolutions, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.convolutions = [tuple(c) for c in convolutions]
        self.seed = seed
        self.norms, self.convs = [], []
        for i, (kernel_size, filters, strides) in enumerate(self.convolutions, start=1):
            name = f"{self.name}_conv{i}"
            self.norms.append(
                BatchNormalization(name=f"{self.name}_norm{i}", dtype=self.dtype_policy)
            )
            self.convs.append(
                convolution(kernel_size, filters, strides, seed, name, self.dtype_policy)
            )

    def build(self, input_shape):
        for norm, conv in zip(self.norms, self.convs, strict=True):
            build_once(norm, input_shape)
            input_shape = build_once(conv, input_shape)

    def call(self, y, training=None):
        for norm, conv in zip(self.norms, self.convs, strict=True):
            y = conv(ops.relu(norm(y, training=training)))
        return y

    def compute_output_shape(self, input_shape):
        for conv in self.convs:
            input_shape = conv.compute_output_shape(input_shape)
        return input_shape

    def get_config(self):
        return {**super().get_config(), "convolutions": self.convolutions, "seed": self.seed}
