"""Networks as others have published them, small: the structure, with random weights."""

import keras
import numpy as np
from keras import layers, ops

from examples import pretrained_resnets
from tests.helpers import unraveled_networks as networks


def conv_mixer(depth=3):
    """Trockman & Kolter 2022; keras.io/examples/vision/convmixer."""
    x = keras.Input((16, 16, 3))
    y = activated(layers.Conv2D(8, 4, 4)(layers.Rescaling(1 / 255)(x)))
    for i in range(1, depth + 1):
        f = activated(layers.DepthwiseConv2D(5, padding="same")(y))
        y = layers.Add(name=f"mix{i}")([f, y])
        y = activated(layers.Conv2D(8, 1)(y))
    return classifier(x, layers.GlobalAveragePooling2D()(y), "conv_mixer")


def activated(y):
    return layers.BatchNormalization()(layers.Activation("gelu")(y))


def classifier(x, y, name, classes=3):
    return networks.moved(keras.Model(x, layers.Dense(classes)(y), name=name))


@keras.saving.register_keras_serializable("tests")
class PatchEncoder(layers.Layer):
    """Projects patches and adds their positions."""

    def build(self, shape):
        self.projection = layers.Dense(8)
        self.projection.build(shape)
        self.positions = self.add_weight(shape=(shape[1], 8), name="positions")

    def call(self, patches):
        return self.projection(patches) + self.positions

    def compute_output_shape(self, shape):
        return (*shape[:2], 8)


def vision_transformer(depth=2):
    """Dosovitskiy et al. 2021, as an example of keras.io has it."""
    x = keras.Input((8, 8, 3))
    y = PatchEncoder()(layers.Reshape((16, 12))(x))
    for i in range(1, depth + 1):
        f = layers.LayerNormalization()(y)
        y = layers.Add(name=f"attention{i}")([layers.MultiHeadAttention(2, 4)(f, f), y])
        f = layers.Dense(16, activation="gelu")(layers.LayerNormalization()(y))
        y = layers.Add(name=f"mlp{i}")([layers.Dense(8)(f), y])
    return classifier(x, layers.Flatten()(layers.LayerNormalization()(y)), "vit")


def u_net():
    """keras.io/examples/vision/oxford_pets_image_segmentation: Xception-like, with projections."""
    x = keras.Input((16, 16, 3))
    y = before = layers.ReLU()(
        layers.BatchNormalization()(layers.Conv2D(4, 3, 2, padding="same")(x))
    )
    for filters in (6, 8):
        for _ in range(2):
            y = layers.SeparableConv2D(filters, 3, padding="same")(layers.ReLU()(y))
            y = layers.BatchNormalization()(y)
        y = layers.MaxPooling2D(3, 2, padding="same")(y)
        skip = layers.Conv2D(filters, 1, 2, padding="same")(before)
        y = before = layers.add([y, skip], name=f"down{filters}")
    for filters in (8, 6, 4):
        for _ in range(2):
            y = layers.Conv2DTranspose(filters, 3, padding="same")(layers.ReLU()(y))
            y = layers.BatchNormalization()(y)
        skip = layers.Conv2D(filters, 1, padding="same")(layers.UpSampling2D(2)(before))
        y = before = layers.add([layers.UpSampling2D(2)(y), skip], name=f"up{filters}")
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3, activation="relu", padding="same")(y))
    return classifier(x, y, "u_net")


def wave_net(depth=4):
    """Oord et al. 2016: gated, dilated, with the sum of what each module outputs on the side."""
    x = keras.Input((16, 4))
    y, sides = layers.Conv1D(6, 2, padding="causal")(x), []
    for i in range(1, depth + 1):
        f = [
            layers.Conv1D(6, 2, padding="causal", dilation_rate=2 ** (i % 3), activation=a)(y)
            for a in ("tanh", "sigmoid")
        ]
        f = layers.Multiply()(f)
        sides.append(layers.Conv1D(5, 1)(f))
        y = layers.Add(name=f"residual{i}")([y, layers.Conv1D(6, 1)(f)])
    y = layers.ReLU()(layers.Add(name="sides")([*sides, layers.Conv1D(5, 1)(y)]))
    return classifier(x, layers.GlobalAveragePooling1D()(y), "wave_net")


def tcn(depth=3):
    """Bai et al. 2018, as philipperemy/keras-tcn has it with use_skip_connections."""
    x = y = keras.Input((16, 3))
    sides = []
    for i in range(1, depth + 1):
        f = y
        for _ in range(2):
            f = layers.Conv1D(6, 3, padding="causal", dilation_rate=2 ** (i - 1))(f)
            f = layers.SpatialDropout1D(0.1)(layers.Activation("relu")(f))
        y = layers.Conv1D(6, 1, padding="same")(y) if i == 1 else y
        y = layers.Activation("relu")(layers.Add(name=f"residual{i}")([y, f]))
        sides.append(f)
    y = layers.Add(name="sides")([*sides, y])
    return classifier(x, layers.Lambda(lambda z: z[:, -1, :])(y), "tcn")


def dn_cnn():
    """Zhang et al. 2017: what the network finds is the noise, which is subtracted."""
    x = keras.Input((8, 8, 1))
    y = layers.Conv2D(6, 3, padding="same", activation="relu")(x)
    for _ in range(3):
        y = layers.Conv2D(6, 3, padding="same", use_bias=False)(y)
        y = layers.Activation("relu")(layers.BatchNormalization(axis=3)(y))
    y = layers.Subtract(name="denoised")([x, layers.Conv2D(1, 3, padding="same")(y)])
    return classifier(x, layers.Flatten()(y), "dn_cnn")


@keras.saving.register_keras_serializable("tests")
class Alpha(layers.Layer):
    """x + α f (Bachlechner et al. 2021)."""

    def build(self, shape):
        self.alpha = self.add_weight(shape=(1,), initializer="zeros", name="alpha")

    def call(self, inputs):
        return inputs[0] + self.alpha * inputs[1]


def rezero_transformer(depth=2):
    """Without normalization; α is learned."""
    ids = keras.Input((6,), dtype="int32", name="ids")
    y = layers.Embedding(11, 8)(ids)
    for i in range(1, depth + 1):
        y = Alpha(name=f"attention{i}")([y, layers.MultiHeadAttention(2, 4)(y, y)])
        f = layers.Dense(8)(layers.Dense(16, activation="relu")(y))
        y = Alpha(name=f"mlp{i}")([y, f])
    return classifier(ids, layers.GlobalAveragePooling1D()(y), "rezero")


def inception_resnet(depth=3):
    """Szegedy et al. 2017, as keras-applications 1.0 wrote it: a Lambda that scales and adds."""
    x = keras.Input((8, 8, 3))
    y = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    for i in range(1, depth + 1):
        one = layers.Conv2D(4, 1, padding="same", activation="relu")(y)
        other = layers.Conv2D(4, 1, padding="same", activation="relu")(y)
        other = layers.Conv2D(4, 3, padding="same", activation="relu")(other)
        up = layers.Conv2D(8, 1, padding="same")(layers.Concatenate()([one, other]))
        y = layers.Lambda(
            lambda both, scale: both[0] + both[1] * scale,
            output_shape=tuple(y.shape[1:]),
            arguments={"scale": 0.17},
            name=f"block{i}",
        )([y, up])
        y = layers.Activation("relu")(y)
    return classifier(x, layers.GlobalAveragePooling2D()(y), "inception_resnet")


def mobile_net():
    """Sandler et al. 2018: inverted residuals, added only where the shape stays."""
    x = keras.Input((16, 16, 3))
    y = layers.ReLU(6.0)(layers.Conv2D(4, 3, 2, padding="same")(x))
    for i, (filters, strides) in enumerate([(4, 1), (6, 2), (6, 1), (8, 2), (8, 1)], start=1):
        f = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(12, 1)(y)))
        f = layers.DepthwiseConv2D(3, strides, padding="same")(f)
        f = layers.ReLU(6.0)(layers.BatchNormalization()(f))
        f = layers.BatchNormalization()(layers.Conv2D(filters, 1)(f))
        y = layers.Add(name=f"block{i}")([y, f]) if f.shape == y.shape else f
    return classifier(x, layers.GlobalAveragePooling2D()(y), "mobile_net")


def encoder_decoder():
    """Mao et al. 2016: convolutions and their transposes, joined by sums, one within another."""
    x = keras.Input((8, 8, 2))
    first = layers.Conv2D(4, 3, activation="relu")(x)
    second = layers.Conv2D(4, 3, activation="relu")(first)
    y = layers.Conv2DTranspose(4, 3, activation="relu")(second)
    y = layers.ReLU()(layers.Add(name="inner")([first, y]))
    y = layers.ReLU()(layers.Add(name="outer")([x, layers.Conv2DTranspose(2, 3)(y)]))
    return classifier(x, layers.Flatten()(y), "encoder_decoder")


def alpha_zero(depth=3):
    """Silver et al. 2017, as junxiaosong/AlphaZero_Gomoku and others: two heads."""
    x = keras.Input((6, 6, 4))
    y = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(x)))
    for i in range(1, depth + 1):
        f = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(y)))
        f = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(f))
        y = layers.ReLU()(layers.add([y, f], name=f"residual{i}"))
    policy = layers.Dense(36, activation="softmax", name="policy")(
        layers.Flatten()(layers.Conv2D(2, 1, activation="relu")(y))
    )
    value = layers.Dense(1, activation="tanh", name="value")(
        layers.Flatten()(layers.Conv2D(1, 1, activation="relu")(y))
    )
    return networks.moved(keras.Model(x, [policy, value], name="alpha_zero"))


def edsr(depth=3):
    """Lim et al. 2017; keras.io/examples/vision/edsr: scaled residuals within one long skip."""
    x = keras.Input((6, 6, 3))
    y = first = layers.Conv2D(8, 3, padding="same")(x)
    for i in range(1, depth + 1):
        f = layers.Conv2D(8, 3, padding="same", activation="relu")(y)
        f = 0.1 * layers.Conv2D(8, 3, padding="same")(f)
        y = layers.Add(name=f"block{i}")([y, f])
    y = layers.Add(name="long")([first, layers.Conv2D(8, 3, padding="same")(y)])
    y = layers.Conv2D(12, 3, padding="same")(y)
    y = layers.Reshape((12, 12, 3))(y)
    return classifier(x, layers.Flatten()(y), "edsr")


def mlp_mixer(depth=2):
    """Tolstikhin et al. 2021: tokens and channels in turn."""
    x = keras.Input((16, 6))
    y = layers.Dense(8)(x)
    for i in range(1, depth + 1):
        f = layers.Permute((2, 1))(layers.LayerNormalization()(y))
        f = layers.Dense(16)(layers.Dense(12, activation="gelu")(f))
        y = layers.Add(name=f"tokens{i}")([y, layers.Permute((2, 1))(f)])
        f = layers.Dense(8)(layers.Dense(12, activation="gelu")(layers.LayerNormalization()(y)))
        y = layers.Add(name=f"channels{i}")([y, f])
    return classifier(x, layers.GlobalAveragePooling1D()(y), "mlp_mixer")


def n_beats(depth=4):
    """Oreshkin et al. 2020: each block takes off what it explains, and adds to the forecast."""
    x = y = keras.Input((12,))
    forecast = None
    for i in range(1, depth + 1):
        hidden = layers.Dense(16, activation="relu")(layers.Dense(16, activation="relu")(y))
        own = layers.Dense(5)(layers.Dense(4)(hidden))
        forecast = own if forecast is None else layers.Add(name=f"forecast{i}")([forecast, own])
        y = layers.Subtract(name=f"backcast{i}")([y, layers.Dense(12)(layers.Dense(4)(hidden))])
    return networks.moved(keras.Model(x, forecast, name="n_beats"))


@keras.saving.register_keras_serializable("tests")
class Gamma(layers.Layer):
    """Self-attention over the places of a map, scaled by γ, with the map added."""

    def build(self, shape):
        self.gamma = self.add_weight(shape=(), initializer="zeros", name="gamma")

    def call(self, attended, y):
        return self.gamma * attended + y


def self_attention_gan():
    """Zhang et al. 2019: the discriminator's blocks, and attention between them."""
    x = keras.Input((8, 8, 3))
    y = layers.Conv2D(8, 3, padding="same")(x)
    for i in (1, 2):
        f = layers.Conv2D(8, 3, padding="same")(layers.LeakyReLU()(y))
        f = layers.Conv2D(8, 3, padding="same")(layers.LeakyReLU()(f))
        skip = layers.AveragePooling2D(2)(layers.Conv2D(8, 1)(y))
        y = layers.Add(name=f"block{i}")([layers.AveragePooling2D(2)(f), skip])
        if i == 1:
            tokens = layers.Reshape((16, 8))(y)
            attended = layers.Attention(name="weighing")(
                [layers.Dense(4)(tokens), layers.Dense(8)(tokens), layers.Dense(4)(tokens)]
            )
            y = Gamma(name="attention")(layers.Reshape((4, 4, 8))(attended), y)
    return classifier(x, layers.Flatten()(y), "sagan")


def squeezed_resnext(depth=2):
    """Hu et al. 2018 on Xie et al. 2017: groups, a gate for each channel, option B."""
    x = keras.Input((8, 8, 3))
    y = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    for i in range(1, depth + 1):
        width, strides = (16, 2) if i == depth else (8, 1)
        f = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 1)(y)))
        f = layers.ReLU()(layers.Conv2D(8, 3, strides, padding="same", groups=4)(f))
        f = layers.BatchNormalization()(layers.Conv2D(width, 1)(f))
        gate = layers.Dense(4, activation="relu")(layers.GlobalAveragePooling2D()(f))
        gate = layers.Reshape((1, 1, width))(layers.Dense(width, activation="sigmoid")(gate))
        f = layers.Multiply()([f, gate])
        if strides > 1:
            y = layers.BatchNormalization()(layers.Conv2D(width, 1, strides)(y))
        y = layers.Activation("relu")(layers.Add(name=f"block{i}")([y, f]))
    return classifier(x, layers.GlobalAveragePooling2D()(y), "squeezed_resnext")


def translator(depth=2):
    """Vaswani et al. 2017: encoder and decoder, each of its own tokens, norms after the sums."""
    source = keras.Input((5,), dtype="int32", name="source")
    target = keras.Input((6,), dtype="int32", name="target")
    y = layers.Embedding(11, 8)(source)
    for i in range(1, depth + 1):
        y = layers.Add(name=f"encoder{i}_attention")([y, layers.MultiHeadAttention(2, 4)(y, y)])
        y = layers.LayerNormalization()(y)
        f = layers.Dense(8)(layers.Dense(12, activation="relu")(y))
        y = layers.LayerNormalization()(layers.Add(name=f"encoder{i}_mlp")([y, f]))
    z = layers.Embedding(11, 8)(target)
    for i in range(1, depth + 1):
        f = layers.MultiHeadAttention(2, 4)(z, z, use_causal_mask=True)
        z = layers.LayerNormalization()(layers.Add(name=f"decoder{i}_attention")([z, f]))
        f = layers.MultiHeadAttention(2, 4)(z, y)
        z = layers.LayerNormalization()(layers.Add(name=f"decoder{i}_cross")([z, f]))
        f = layers.Dense(8)(layers.Dense(12, activation="relu")(z))
        z = layers.LayerNormalization()(layers.Add(name=f"decoder{i}_mlp")([z, f]))
    z = layers.GlobalAveragePooling1D()(z)
    return classifier({"source": source, "target": target}, z, "translator")


def conformer():
    """Gulati et al. 2020: half a feed-forward step, attention, convolution, half a step."""
    x = keras.Input((6, 8))

    def half(y):
        y = layers.LayerNormalization()(y)
        return 0.5 * layers.Dense(8)(layers.Dense(16, activation="swish")(y))

    y = layers.Add(name="first")([x, half(x)])
    f = layers.LayerNormalization()(y)
    y = layers.Add(name="attention")([y, layers.MultiHeadAttention(2, 4)(f, f)])
    one, other = ops.split(layers.Dense(16)(layers.LayerNormalization()(y)), 2, axis=-1)
    f = layers.DepthwiseConv1D(3, padding="same")(one * ops.sigmoid(other))
    f = layers.Dense(8)(ops.silu(layers.BatchNormalization()(f)))
    y = layers.Add(name="convolution")([y, f])
    y = layers.LayerNormalization()(layers.Add(name="last")([y, half(y)]))
    return classifier(x, layers.GlobalAveragePooling1D()(y), "conformer")


def windows(y):
    """Swaps the order of 4×4 places into 2×2 windows, and back."""
    y = ops.reshape(y, (-1, 2, 2, 2, 2, 8))
    return ops.transpose(y, (0, 1, 3, 2, 4, 5))


def swin_transformer(depth=2):
    """Liu et al. 2021: attention within windows, which every second block shifts."""
    x = keras.Input((4, 4, 3))
    y = layers.Dense(8)(x)
    for i in range(1, depth + 1):
        shift = i - 1
        f = ops.roll(layers.LayerNormalization()(y), (-shift, -shift), axis=(1, 2))
        f = ops.reshape(windows(f), (-1, 4, 8))
        f = layers.MultiHeadAttention(2, 4)(f, f)
        f = ops.reshape(windows(f), (-1, 4, 4, 8))
        y = layers.Add(name=f"attention{i}")([y, ops.roll(f, (shift, shift), axis=(1, 2))])
        f = layers.Dense(16, activation="gelu")(layers.LayerNormalization()(y))
        y = layers.Add(name=f"mlp{i}")([y, layers.Dense(8)(f)])
    return classifier(x, layers.GlobalAveragePooling2D()(y), "swin_transformer")


def pool_former(depth=2):
    """Yu et al. 2022: pooling in place of attention, less what enters it."""
    x = keras.Input((6, 6, 4))
    y = layers.Conv2D(4, 3, padding="same")(x)
    for i in range(1, depth + 1):
        f = layers.GroupNormalization(1)(y)
        y = layers.Add(name=f"pool{i}")([y, layers.AveragePooling2D(3, 1, "same")(f) - f])
        f = layers.Dense(8, activation="gelu")(layers.GroupNormalization(1)(y))
        y = layers.Add(name=f"mlp{i}")([y, layers.Dense(4)(f)])
    return classifier(x, layers.GlobalAveragePooling2D()(y), "pool_former")


def gated_residual(depth=2):
    """Lim et al. 2021 (temporal fusion transformer): a gated branch, and a norm after the sum."""
    x = keras.Input((8,))
    y = layers.Dense(8)(x)
    for i in range(1, depth + 1):
        f = layers.Dropout(0.1)(layers.Dense(8)(layers.Dense(8, activation="elu")(y)))
        f = layers.Multiply()([layers.Dense(8, activation="sigmoid")(f), layers.Dense(8)(f)])
        y = layers.LayerNormalization()(layers.Add(name=f"gated{i}")([y, f]))
    return classifier(x, y, "gated_residual")


def diffusion_u_net():
    """Ho et al. 2020: a U-Net whose blocks take the time, too."""
    x, time = keras.Input((8, 8, 3), name="image"), keras.Input((1,), name="time")
    embedded = layers.Dense(8, activation="swish")(time)

    def block(y, width, name):
        skip = y if y.shape[-1] == width else layers.Conv2D(width, 1)(y)
        f = layers.Conv2D(width, 3, padding="same", activation="swish")(y)
        f = f + layers.Reshape((1, 1, width))(layers.Dense(width)(embedded))
        f = layers.Conv2D(width, 3, padding="same")(ops.silu(layers.GroupNormalization(2)(f)))
        return layers.Add(name=name)([skip, f])

    first = block(layers.Conv2D(4, 3, padding="same")(x), 4, "down1")
    y = block(layers.AveragePooling2D(2)(first), 8, "down2")
    y = layers.Concatenate()([layers.UpSampling2D(interpolation="bilinear")(y), first])
    y = layers.GlobalAveragePooling2D()(block(y, 4, "up1"))
    return classifier({"image": x, "time": time}, y, "diffusion_u_net")


def graph_network(depth=2):
    """Kipf & Welling 2017 with skips: which nodes are neighbors is an input of its own."""
    x, neighbors = keras.Input((5, 4), name="nodes"), keras.Input((5, 5), name="neighbors")
    y = layers.Dense(8)(x)
    for i in range(1, depth + 1):
        f = ops.relu(ops.matmul(neighbors, layers.Dense(8)(y)))
        y = layers.Add(name=f"graph{i}")([y, f])
    inputs = {"nodes": x, "neighbors": neighbors}
    return classifier(inputs, layers.GlobalAveragePooling1D()(y), "graph_network")


def parallel_transformer(depth=2):
    """GPT-J (Wang & Komatsuzaki 2021): attention and dense layers side by side, of one norm."""
    ids = keras.Input((6,), dtype="int32", name="ids")
    y = layers.Embedding(11, 8)(ids)
    for i in range(1, depth + 1):
        f = layers.LayerNormalization()(y)
        attended = layers.MultiHeadAttention(2, 4)(f, f, use_causal_mask=True)
        f = layers.Dense(8)(layers.Dense(16, activation="gelu")(f))
        y = layers.Add(name=f"block{i}")([y, attended, f])
    return classifier(ids, layers.GlobalAveragePooling1D()(y), "parallel_transformer")


def tab_net(steps=2):
    """Arik & Pfister 2021: sums times √0.5, which NumPy's number makes float64; masks by step."""
    x, names = keras.Input((8,)), iter(range(1, 99))

    def gated(y):
        one, other = ops.split(layers.BatchNormalization()(layers.Dense(16)(y)), 2, axis=-1)
        return one * ops.sigmoid(other)

    def transformed(y):
        y = gated(y)
        for _ in range(2):
            y = layers.Add(name=f"gated{next(names)}")([y, gated(y)]) * np.sqrt(0.5)
        return y

    entering = layers.BatchNormalization()(x)
    left, y, total = 1.5, transformed(entering), []
    for _ in range(steps):
        mask = ops.softmax(layers.BatchNormalization()(layers.Dense(8)(y[:, 4:])) * left)
        left = left * (1.5 - mask)
        y = transformed(entering * mask)
        total.append(ops.relu(y[:, :4]))
    return classifier(x, layers.Add(name="steps")(total), "tab_net")


def style_gan(depth=2):
    """The discriminator of StyleGAN2, Karras et al. 2020, without its deviation of the batch."""
    x = keras.Input((8, 8, 3))
    y = layers.Conv2D(4, 1, activation="leaky_relu")(x)
    for i in range(1, depth + 1):
        f = layers.Conv2D(4, 3, padding="same", activation="leaky_relu")(y)
        f = layers.Conv2D(4, 3, 2, padding="same", activation="leaky_relu")(f)
        skip = layers.Conv2D(4, 1, use_bias=False)(layers.AveragePooling2D(2)(y))
        y = layers.Add(name=f"block{i}")([skip, f]) * (1 / np.sqrt(2))
    return classifier(x, layers.Flatten()(y), "style_gan")


def stacked_lstm(depth=3):
    """Wu et al. 2016 (GNMT) in small: skips around recurrent layers, of tokens that are masked."""
    ids = keras.Input((6,), dtype="int32", name="ids")
    y = layers.Embedding(11, 8, mask_zero=True)(ids)
    for i in range(1, depth + 1):
        f = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(y)
        y = layers.Add(name=f"lstm{i}")([y, layers.Dropout(0.2)(f)])
    return classifier(ids, layers.GRU(4)(y), "stacked_lstm")


def resnest(depth=2):
    """Zhang et al. 2020: two halves of a branch, weighed by a softmax over them."""
    x = y = keras.Input((8, 8, 8))
    for i in range(1, depth + 1):
        f = layers.Conv2D(16, 3, padding="same", groups=4, activation="relu")(y)
        f = layers.Reshape((8, 8, 2, 8))(f)
        weights = layers.GlobalAveragePooling2D()(ops.sum(f, axis=3))
        weights = layers.Dense(16)(layers.Dense(4, activation="relu")(weights))
        weights = ops.softmax(ops.reshape(weights, (-1, 1, 1, 2, 8)), axis=3)
        f = layers.Conv2D(8, 1)(ops.sum(f * weights, axis=3))
        y = layers.ReLU()(layers.Add(name=f"block{i}")([f, y]))
    return classifier(x, layers.GlobalAveragePooling2D()(y), "resnest")


def option_a(depth=20):
    """He et al. 2016a as akamaster/pytorch_resnet_cifar10 reads: no weights on any skip."""
    return networks.moved(pretrained_resnets.resnet(depth))
