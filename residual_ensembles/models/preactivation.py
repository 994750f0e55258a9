"""The residual of a pre-activation module (paper, equation 2; He et al. 2016b, figure 1b)."""

import keras

from residual_ensembles.models.batch_norm import BatchNormalization
from residual_ensembles.models.convolution import convolution
from residual_ensembles.models.nesting import build_once


@keras.saving.register_keras_serializable("residual_ensembles")
class Preactivation(keras.layers.Layer):
    """Batch normalization and ReLU before each convolution: `W σ(B(W' σ(B(x))))`.

    Args:
        convolutions: One `(kernel_size, filters, strides)` for each convolution, in order.
        seed: Seed of the initial weights.
        **kwargs: As for `keras.layers.Layer`.
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
            y = conv(keras.ops.relu(norm(y, training=training)))
        return y

    def compute_output_shape(self, input_shape):
        for conv in self.convs:
            input_shape = conv.compute_output_shape(input_shape)
        return input_shape

    def get_config(self):
        return {**super().get_config(), "convolutions": self.convolutions, "seed": self.seed}
