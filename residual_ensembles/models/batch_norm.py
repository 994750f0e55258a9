"""Batch normalization as the paper's authors had it, in one operation where the backend has one."""

import keras
from keras import ops

from residual_ensembles import backend
from residual_ensembles.models import _keras_internals
from residual_ensembles.models.protocols import ChainLike, Tensor

# The authors' Torch (nn.SpatialBatchNormalization) gives the new batch the weight 0.1 and adds
# 1e-5; Keras' defaults, 0.99 and 1e-3, are others.
MOMENTUM = 0.9
EPSILON = 1e-5


@keras.saving.register_keras_serializable("residual_ensembles")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, over the last axis, with the backend's fused operation in training.

    Values, gradients and moving statistics are those of `keras.layers.BatchNormalization`.

    Args:
        momentum: Weight of the old moving statistics, 0..1.
        epsilon: Added to the variance.
        **kwargs: As for `keras.layers.BatchNormalization`.
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


def reestimate_batch_norm(chain: ChainLike, images: Tensor) -> None:
    """Sets a network's batch-norm statistics to those of `images`; no weight is trained.

    A network fresh from its initializers normalizes by 0 and 1, whatever passes through: its
    residuals then grow or vanish with depth, and a mistake in a lesion need not show.

    Args:
        chain: The network; its moving means and variances change.
        images: `(batch, height, width, channels)` in 0..255.
    """
    norms = [
        layer
        for layer in _keras_internals.flat_layers(chain)
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0  # nothing of the old statistics is kept
        chain(ops.convert_to_tensor(images), training=True)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
