"""The one kind of convolution and of initial weights that all networks are made of."""

from typing import Any

import keras

from residual_ensembles.statistics.randomness import integer_seed


def convolution(
    kernel_size: int, filters: int, strides: int, seed: int, name: str, dtype: Any
) -> keras.layers.Conv2D:
    """Returns a padded convolution without bias, which the batch normalization has.

    Initial weights are normal with variance 2 / (kernel_size² · filters): He et al. (2015,
    section 2.2, backward form), as in the authors' Torch code. They are a function of the seed and
    the layer's name.

    Args:
        kernel_size: Side of the square kernel, pixels.
        filters: Output channels.
        strides: 1, or 2 to halve the image.
        seed: Seed of the network.
        name: The layer's address, for instance `stage2_block7_conv1`.
        dtype: Keras dtype policy.
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


def projection(filters: int, strides: int, seed: int, name: str, dtype: Any) -> keras.layers.Conv2D:
    """Returns the 1×1 convolution that brings y to a new shape.

    A departure: it is applied to y itself. He et al. (2016b) apply it to the activation that the
    residual begins with; then skip and residual would share an operation, and what a lesion takes
    away would not be clear.
    """
    return convolution(1, filters, strides, seed, name, dtype)
