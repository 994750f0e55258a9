"""VGG with 15 layers of 128 channels, any of which can be deleted (paper, section 4.1)."""

from collections.abc import Sequence

import keras

from residual_ensembles.models import stem_head
from residual_ensembles.models.architectures import pooled_modules, vgg_modules_per_stage
from residual_ensembles.models.blocks import BatchNormalization, convolution
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.module import Module
from residual_ensembles.models.types import DType

CHANNELS = 128


@keras.saving.register_keras_serializable("residual_ensembles")
class PlainModule(Module):
    """A layer without a skip: deleted, it is the identity, followed by the pooling if there is one.

    There is one path only, and gates are 0 or 1.
    """

    has_skip = False
    scales_residual = False

    def bypass(self, y, training=False):
        return y

    def run(self, y, scale, training=False):
        return self.after(self.transform(y, training=training))


def layer(filters: int, seed: int, name: str, dtype: DType) -> stem_head.LayerSequence:
    """Returns convolution, batch normalization and ReLU."""
    return stem_head.LayerSequence(
        [
            convolution(3, filters, 1, seed, f"{name}_conv", dtype),
            BatchNormalization(name=f"{name}_norm", dtype=dtype),
            keras.layers.ReLU(name=f"{name}_relu", dtype=dtype),
        ],
        name=name,
        dtype=dtype,
    )


def vgg(
    depth: int,
    image_shape: tuple[int, ...],
    n_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    seed: int,
    survival: Sequence[float],
    dtype: DType,
) -> Chain:
    """Returns VGG-15: a first convolution, twelve that can be deleted, two dense layers."""
    vgg_modules_per_stage(depth)
    if any(probability < 1.0 for probability in survival):
        raise ValueError(
            "Received survival probabilities below 1 for model=vgg, expected none: a layer without "
            "a skip cannot be left out in training. Use gating=none."
        )
    pooled = pooled_modules(min(image_shape[:2]))
    modules = [
        PlainModule(
            layer(CHANNELS, seed, f"layer{i + 1}", dtype),
            activation=keras.layers.MaxPooling2D(name=f"layer{i + 1}_pool", dtype=dtype)
            if i in pooled
            else None,
            name=f"layer{i + 1}_module",
            dtype=dtype,
        )
        for i in range(1, len(survival) + 1)
    ]
    stem = [stem_head.normalization(mean, std), layer(CHANNELS, seed, "layer1", dtype)]
    head = [
        keras.layers.Flatten(name="head_flatten", dtype=dtype),
        stem_head.dense(CHANNELS, seed, "head_dense", dtype),
        keras.layers.ReLU(name="head_relu", dtype=dtype),
        stem_head.dense(n_classes, seed, "logits"),
    ]
    return Chain(
        stem_head.LayerSequence(stem, name="stem", dtype=dtype),
        modules,
        stem_head.LayerSequence(head, name="head", dtype=dtype),
        image_shape,
        name=f"vgg{depth}",
    )
