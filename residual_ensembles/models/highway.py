"""Highway networks, the gated relatives (paper, equation 3; Srivastava et al. 2015)."""

from collections.abc import Sequence

import keras
from keras import ops

from residual_ensembles.arguments import checked
from residual_ensembles.models import resnet, stem_head
from residual_ensembles.models.architectures import (
    GATE_BIAS,
    SMALL_WIDTHS,
    small_modules_per_stage,
)
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.module import Module
from residual_ensembles.models.nesting import build_once, deserialized
from residual_ensembles.models.types import DType, Tensor


@keras.saving.register_keras_serializable("residual_ensembles")
@checked
class HighwayModule(Module):
    """`t(y) · f(y) + (1 − t(y)) · carry(y)`, deleted: `carry(y)`.

    Args:
        transform: Layer f.
        transform_gate: Layer t, from y to numbers 0..1 of the shape of f(y).
        shortcut: Layer of the carry; None for the identity.
        **kwargs: Other arguments of `Module`; the survival probability has to be 1, since a highway
            module takes the gates 0 and 1 only.

    Raises:
        ValueError: A survival probability below 1.
    """

    scales_residual = False

    def __init__(self, transform, transform_gate: keras.layers.Layer, shortcut=None, **kwargs):
        super().__init__(transform, shortcut, **kwargs)
        if self.survival_probability != 1.0:
            raise ValueError(
                f"Received survival_probability={self.survival_probability} for a highway module, "
                "expected 1: its own gates decide how much passes. Train it with gating=none."
            )
        self.transform_gate = transform_gate

    def residual(self, y, training=False):
        return self.transform_gate(y) * self.transform(y, training=training)

    def skip(self, y, training=False):
        return (1.0 - self.transform_gate(y)) * super().skip(y, training=training)

    def bypass(self, y, training=False):
        return super().skip(y, training=training)

    def run(self, y, scale, training=False):
        t = self.transform_gate(y)  # once for both
        carry = super().skip(y, training=training)
        return self.after(t * self.transform(y, training=training) + (1.0 - t) * carry)

    @property
    def gated_layers(self):
        return [self.transform, self.transform_gate]

    def build(self, input_shape):
        build_once(self.transform_gate, input_shape)
        super().build(input_shape)

    def get_config(self):
        transform_gate = keras.saving.serialize_keras_object(self.transform_gate)
        return {**super().get_config(), "transform_gate": transform_gate}

    @classmethod
    def from_config(cls, config):
        return cls(**deserialized(config, "transform", "shortcut", "activation", "transform_gate"))


def transform_gate(spec: resnet.ModuleSpec, bias: float, dtype: DType) -> keras.layers.Conv2D:
    """Returns t: a 1×1 convolution of y and a sigmoid.

    It starts at zero weights, so that every gate of the untrained network is exactly
    sigmoid(bias). A departure from Srivastava et al., whose gates have the kernel of the transform:
    that would cost half as much again.
    """
    return keras.layers.Conv2D(
        spec.filters,
        1,
        strides=spec.strides,
        padding="same",
        activation="sigmoid",
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(bias),
        name=f"{spec.name}_gate",
        dtype=dtype,
    )


def highway(
    depth: int,
    image_shape: tuple[int, ...],
    n_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    seed: int,
    survival: Sequence[float],
    dtype: DType,
    gate_bias: float = GATE_BIAS,
) -> Chain:
    """Returns the skeleton of the CIFAR ResNet with a gate in each module.

    Args:
        gate_bias: Initial bias of the gates; negative numbers lean to the skip, 0 to neither.
    """
    specs = resnet.module_specs(small_modules_per_stage(depth), SMALL_WIDTHS, SMALL_WIDTHS[0])
    modules = [
        HighwayModule(
            resnet.basic_transform(spec, seed, dtype),
            transform_gate(spec, gate_bias, dtype),
            resnet.shortcut_of(spec, seed, dtype),
            survival_probability=probability,
            name=f"{spec.name}_module",
            dtype=dtype,
        )
        for spec, probability in zip(specs, survival, strict=True)
    ]
    return Chain(
        stem_head.small_image_stem(SMALL_WIDTHS[0], mean, std, seed, dtype),
        modules,
        stem_head.pooled_head(n_classes, seed, dtype),
        image_shape,
        name=f"highway{depth}",
    )


@checked
def mean_gate_values(chain: Chain, images: Tensor) -> list:
    """Returns the mean of t in each module, over images, positions and channels, as scalars.

    Args:
        chain: A highway network.
        images: `(batch, height, width, channels)` in 0..255.

    Example:
        >>> from residual_ensembles import models
        >>> highway = models.build("highway", 8, (8, 8, 1), 10, mean=[127.0], std=[64.0])
        >>> [0 < float(t) < 0.3 for t in mean_gate_values(highway, images)]  # the bias is −2
        [True, True, True]
    """
    y, means = chain.stem(images, training=False), []
    for module in chain.modules:
        means.append(ops.mean(ops.cast(module.transform_gate(y), "float32")))
        y = module(y, training=False)
    return means
