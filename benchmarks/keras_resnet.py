"""The same network and train step in plain Keras: a contestant of `training.py`.

Nothing of ours is imported here: what a user of Keras gets is measured.
"""

from collections.abc import Callable

import keras
import numpy as np
from keras import layers

WIDTHS = (16, 32, 64)


def resnet(depth: int, shape: tuple, n_classes: int, dtype: str) -> keras.Model:
    """Returns the CIFAR form of the ResNet, with Keras' own batch normalization."""

    def conv(y, filters, kernel_size, strides=1):
        return layers.Conv2D(
            filters, kernel_size, strides, padding="same", use_bias=False, dtype=dtype
        )(y)

    def activated(y):
        y = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=dtype)(y)
        return layers.ReLU(dtype=dtype)(y)

    x = keras.Input(shape)
    y = layers.Normalization(mean=[125.0] * 3, variance=[3600.0] * 3, dtype="float32")(x)
    y = conv(y, WIDTHS[0], 3)
    for width in WIDTHS:
        for block in range((depth - 2) // 6):
            strides = 2 if block == 0 and width != WIDTHS[0] else 1
            skip = conv(y, width, 1, strides) if strides > 1 else y
            y = conv(activated(conv(activated(y), width, 3, strides)), width, 3)
            y = layers.Add(dtype=dtype)([skip, y])
    y = layers.GlobalAveragePooling2D(dtype=dtype)(activated(y))
    return keras.Model(x, layers.Dense(n_classes, dtype="float32")(y))


def steps(
    dtype: str, depth: int, images: np.ndarray, labels: np.ndarray, n_steps: int
) -> tuple[Callable[[], object], int]:
    """Returns a function that runs a few steps of Keras' own `fit`, and the number of weights."""
    model = resnet(depth, images.shape[1:], int(labels.max()) + 1, dtype)
    model.compile(
        keras.optimizers.SGD(1e-3, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        # On a CPU, XLA compiles for minutes and is slower then.
        jit_compile=keras.backend.backend() == "jax",
    )

    def batches():
        for _ in range(n_steps):
            yield images.astype("float32"), labels

    def run():
        model.fit(batches(), steps_per_epoch=n_steps, verbose=0, shuffle=False)

    return run, sum(int(np.prod(v.shape)) for v in model.trainable_variables)
