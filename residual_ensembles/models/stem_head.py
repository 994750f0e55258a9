"""Stems and heads: the layers before the first module and after the last."""

from collections.abc import Sequence

import keras

from residual_ensembles.models.blocks import BatchNormalization, convolution
from residual_ensembles.models.nesting import build_once, deserialized
from residual_ensembles.models.types import DType
from residual_ensembles.statistics.randomness import integer_seed


@keras.saving.register_keras_serializable("residual_ensembles")
class LayerSequence(keras.layers.Layer):
    """Layers one after another, as one layer.

    `keras.Sequential` does the same but is a model: within another one it would be built again from
    its own input, and its weights would be saved under generated names.
    """

    def __init__(self, layers, **kwargs):
        super().__init__(**kwargs)
        self.layers = list(layers)

    def build(self, input_shape):
        for layer in self.layers:
            input_shape = build_once(layer, input_shape)

    def call(self, x, training=None):
        for layer in self.layers:
            x = layer(x, training=training)
        return x

    def compute_output_shape(self, input_shape):
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def get_config(self):
        layers = keras.saving.serialize_keras_object(self.layers)
        return {**super().get_config(), "layers": layers}

    @classmethod
    def from_config(cls, config):
        return cls(**deserialized(config, "layers"))


def normalization(mean: Sequence[float], std: Sequence[float]) -> keras.layers.Normalization:
    """Returns the layer that brings images of 0..255 to mean 0 and deviation 1 per channel.

    It is part of the network, so that a saved network takes images as they are. Always float32:
    bfloat16 would round what it subtracts.
    """
    return keras.layers.Normalization(
        mean=list(mean), variance=[s * s for s in std], name="normalization", dtype="float32"
    )


def dense(units: int, seed: int, name: str, dtype: DType = "float32") -> keras.layers.Dense:
    """Returns a dense layer whose initial weights are a function of seed and name."""
    return keras.layers.Dense(
        units,
        kernel_initializer=keras.initializers.GlorotUniform(seed=integer_seed(seed, name)),
        name=name,
        dtype=dtype,
    )


def small_image_stem(
    filters: int, mean: Sequence[float], std: Sequence[float], seed: int, dtype: DType
) -> LayerSequence:
    """Returns the stem for images of 8×8 to 64×64: one 3×3 convolution."""
    return LayerSequence(
        [normalization(mean, std), convolution(3, filters, 1, seed, "stem_conv", dtype)],
        name="stem",
        dtype=dtype,
    )


def imagenet_stem(
    filters: int, mean: Sequence[float], std: Sequence[float], seed: int, dtype: DType
) -> LayerSequence:
    """Returns the stem for images of 224×224: convolution 7×7/2, batch norm, ReLU, pooling 3×3/2.

    As in the authors' fb.resnet.torch, except that padding is Keras' "same", one pixel less on the
    left and at the top.
    """
    return LayerSequence(
        [
            normalization(mean, std),
            convolution(7, filters, 2, seed, "stem_conv", dtype),
            BatchNormalization(name="stem_norm", dtype=dtype),
            keras.layers.ReLU(name="stem_relu", dtype=dtype),
            keras.layers.MaxPooling2D(3, 2, padding="same", name="stem_pool", dtype=dtype),
        ],
        name="stem",
        dtype=dtype,
    )


def pooled_head(n_classes: int, seed: int, dtype: DType) -> LayerSequence:
    """Returns the head of the ResNets: batch norm, ReLU, mean over the image, logits."""
    return LayerSequence(
        [
            BatchNormalization(name="head_norm", dtype=dtype),
            keras.layers.ReLU(name="head_relu", dtype=dtype),
            keras.layers.GlobalAveragePooling2D(name="head_pool", dtype=dtype),
            dense(n_classes, seed, "logits"),
        ],
        name="head",
        dtype=dtype,
    )
