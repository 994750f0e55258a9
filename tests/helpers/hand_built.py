"""The CIFAR ResNet once more, written down with plain Keras layers, module by module."""

import keras
from keras import layers

WIDTHS = (16, 32, 64)


def resnet(chain, blocks_per_stage, deleted=(), scale=1.0, image_shape=(8, 8, 1)):
    """Returns a functional model with the chain's weights.

    The residuals of `deleted` modules are not there; the others are multiplied by `scale`.
    """
    made = []

    def norm(y, source):
        layer = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        made.append((layer, source))
        return layer(y)

    def conv(y, source):
        kernel, strides = source.kernel_size, source.strides
        layer = layers.Conv2D(source.filters, kernel, strides, padding="same", use_bias=False)
        made.append((layer, source))
        return layer(y)

    modules = iter(chain.modules)
    x = keras.Input(image_shape)
    y = layers.Normalization(mean=[100.0] * image_shape[-1], variance=[2500.0] * image_shape[-1])(x)
    y = conv(y, chain.stem.layers[1])
    for number in range(1, 3 * blocks_per_stage + 1):
        module = next(modules)
        halves = number > 1 and number % blocks_per_stage == 1
        assert module.transform.convs[0].strides == ((2, 2) if halves else (1, 1))
        assert module.transform.convs[0].filters == WIDTHS[(number - 1) // blocks_per_stage]
        skip = conv(y, module.shortcut) if halves else y
        if number in deleted:
            y = skip
            continue
        f = y
        for norm_source, conv_source in zip(
            module.transform.norms, module.transform.convs, strict=True
        ):
            f = conv(layers.ReLU()(norm(f, norm_source)), conv_source)
        y = layers.Add()([skip, f * scale])
    y = layers.GlobalAveragePooling2D()(layers.ReLU()(norm(y, chain.head.layers[0])))
    logits = layers.Dense(10)
    made.append((logits, chain.head.layers[-1]))
    model = keras.Model(x, logits(y))
    for layer, source in made:
        layer.set_weights(source.get_weights())
    return model
