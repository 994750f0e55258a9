"""Small Keras models of many kinds, with weights of which each matters."""

import keras
import numpy as np
from keras import layers, ops


def moved(model, seed=0):
    """Gives weights and statistics random values, so that no module is the identity by chance."""
    random = np.random.default_rng(seed)
    for variable in model.variables:
        if "seed" in variable.path:
            continue
        if "variance" in variable.path:
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
        elif len(variable.shape) < 2:
            variable.assign(random.normal("gamma" in variable.path, 0.3, variable.shape))
        else:  # a kernel; what passes neither vanishes nor grows much
            is_table = "embeddings" in variable.path
            scale = 2.0 if is_table else 1.5 / np.sqrt(np.prod(variable.shape[:-1]))
            variable.assign(random.normal(0, scale, variable.shape))
    return model


def residual_net(softmax=False):
    """Three modules: identity and a scaled branch; projection; ReLU after the sum."""
    x = keras.Input((8, 8, 3), name="image")
    y = layers.Conv2D(4, 3, padding="same", name="stem")(x)
    f = layers.Conv2D(4, 3, padding="same", activation="relu", name="first_conv")(y)
    f = layers.Dropout(0.5, name="first_drop")(layers.Rescaling(0.5, name="first_scale")(f))
    y = layers.Add(name="first")([y, f])
    f = layers.Conv2D(6, 3, 2, padding="same", activation="relu", name="second_conv")(y)
    f = layers.BatchNormalization(name="second_norm")(f)
    y = layers.Add(name="second")([layers.Conv2D(6, 1, 2, name="second_skip")(y), f])
    y = layers.Conv2D(5, 1, activation="tanh", name="between")(y)
    f = layers.Conv2D(5, 3, padding="same", name="third_conv")(y)
    y = layers.ReLU(name="third_relu")(layers.Add(name="third")([y, f]))
    y = layers.GlobalAveragePooling2D(name="pool")(y)
    activation = "softmax" if softmax else None
    return moved(keras.Model(x, layers.Dense(4, activation=activation, name="out")(y), name="net"))


def digits_net(n=4):
    """Modules of one shape, for the digits as they are stored; seeded by Keras."""
    x = keras.Input((8, 8, 1), name="image")
    y = layers.Conv2D(8, 3, padding="same", name="stem")(layers.Rescaling(1 / 255)(x))
    for i in range(1, n + 1):
        f = layers.Conv2D(8, 3, padding="same", activation="relu", name=f"conv{i}")(y)
        y = layers.Add(name=f"add{i}")([y, f])
    y = layers.Dense(10, name="out")(layers.GlobalAveragePooling2D(name="pool")(y))
    return keras.Model(x, y, name="mine")


def u_net():
    """Encoder and decoder with modules in both, and two values that travel across."""
    x = keras.Input((8, 8, 2), name="image")
    first = layers.Conv2D(4, 3, padding="same", activation="relu", name="down1")(x)
    f = layers.Conv2D(4, 3, padding="same", activation="tanh", name="block1_conv")(first)
    first = layers.Add(name="block1")([first, f])
    y = layers.Conv2D(6, 3, 2, padding="same", activation="relu", name="down2")(first)
    f = layers.Conv2D(6, 3, padding="same", activation="tanh", name="block2_conv")(y)
    y = layers.Add(name="block2")([y, f])
    f = layers.Conv2D(6, 3, padding="same", activation="tanh", name="block3_conv")(y)
    y = layers.Add(name="block3")([y, f])
    y = layers.Conv2DTranspose(4, 2, 2, name="up")(y)
    y = layers.Concatenate(name="long_skip")([y, first])
    f = layers.Conv2D(8, 3, padding="same", activation="tanh", name="block4_conv")(y)
    y = layers.Add(name="block4")([y, f])
    return moved(keras.Model(x, layers.Conv2D(3, 1, name="out")(y), name="u_net"))


@keras.saving.register_keras_serializable("tests")
class Block(layers.Layer):
    """A whole transformer block as one layer: its additions are not in the model's graph."""

    def __init__(self, heads=2, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.attention = layers.MultiHeadAttention(heads, 4, name="attention")
        self.norm1 = layers.LayerNormalization(name="norm1")
        self.norm2 = layers.LayerNormalization(name="norm2")

    def build(self, shape):
        self.attention.build(shape, shape)
        self.norm1.build(shape)
        self.norm2.build(shape)
        self.wide = layers.Dense(2 * shape[-1], activation="gelu", name="wide")
        self.narrow = layers.Dense(shape[-1], name="narrow")
        self.wide.build(shape)
        self.narrow.build((*shape[:-1], 2 * shape[-1]))

    def call(self, y, mask=None):
        normal = self.norm1(y)
        y = y + self.attention(normal, normal, attention_mask=mask)
        return y + self.narrow(self.wide(self.norm2(y)))

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        return {**super().get_config(), "heads": self.heads}


def transformer_of_blocks(n=3):
    """Tokens and whole blocks; there is no addition to be seen but the one of positions."""
    ids = keras.Input((6,), dtype="int32", name="ids")
    y = layers.Embedding(11, 8, name="tokens")(ids)
    for i in range(1, n + 1):
        y = Block(name=f"block{i}")(y)
    y = layers.GlobalAveragePooling1D(name="pool")(y)
    return moved(keras.Model(ids, layers.Dense(3, name="out")(y), name="transformer"))


def attention_net(n=2):
    """Two inputs: tokens, and a mask that every attention needs; written with `+`."""
    ids = keras.Input((6,), dtype="int32", name="ids")
    mask = keras.Input((6,), dtype="bool", name="mask")
    y = layers.Embedding(11, 8, name="tokens")(ids)
    pairs = ops.expand_dims(mask, 1)
    for i in range(1, n + 1):
        normal = layers.LayerNormalization(name=f"norm{i}")(y)
        attention = layers.MultiHeadAttention(2, 4, name=f"attention{i}")
        y = y + attention(normal, normal, attention_mask=pairs)
        f = layers.Dense(16, activation="gelu", name=f"wide{i}")(y)
        y = y + layers.Dense(8, name=f"narrow{i}")(f)
    y = layers.GlobalAveragePooling1D(name="pool")(y)
    model = keras.Model({"ids": ids, "mask": mask}, layers.Dense(3, name="out")(y), name="two")
    return moved(model)


@keras.saving.register_keras_serializable("tests")
class Positions(layers.Layer):
    """A table by place, of what enters the shape alone: it has no batch."""

    def build(self, shape):
        self.table = self.add_weight(shape=shape[1:], name="kernel")

    def call(self, y):
        return ops.tanh(self.table)

    def compute_output_shape(self, shape):
        return shape[1:]


@keras.saving.register_keras_serializable("tests")
class Shifted(layers.Layer):
    """A block that looks at a table, too."""

    def build(self, y_shape, table_shape):
        self.dense = layers.Dense(y_shape[-1], activation="tanh", name="dense")
        self.dense.build(y_shape)

    def call(self, y, table):
        return y + self.dense(y + table)

    def compute_output_shape(self, y_shape, table_shape):
        return y_shape


def table_net(table=None):
    """Three blocks that share a table, and are called by names, the table's first.

    Args:
        table: What makes the table of what enters; `Positions` by default.
    """
    x = keras.Input((2, 8), name="x")  # as many places as there are examples in a first trial
    y = layers.Dense(8, name="stem")(x)
    shared = (table or Positions(name="positions"))(y)
    for i in range(1, 4):
        y = Shifted(name=f"block{i}")(table=shared, y=y)
    y = layers.GlobalAveragePooling1D(name="pool")(y)
    return moved(keras.Model(x, layers.Dense(3, name="out")(y), name="tables"))


def masked_net():
    """Keras' own masks, which travel with a tensor unseen."""
    ids = keras.Input((6,), dtype="int32", name="ids")
    y = layers.Embedding(11, 8, mask_zero=True, name="tokens")(ids)
    for i in (1, 2):
        f = layers.MultiHeadAttention(2, 4, name=f"attention{i}")(y, y)
        y = layers.Add(name=f"add{i}")([y, f])
    y = layers.GlobalAveragePooling1D(name="pool")(y)
    return moved(keras.Model(ids, layers.Dense(3, name="out")(y), name="masked"))


def nested_net():
    """A functional model within a model within a model, and its block called twice."""
    z = keras.Input((5,), name="z")
    f = layers.Dense(5, activation="tanh", name="dense")(z)
    inner = keras.Model(z, layers.Add(name="add")([z, f]), name="inner")
    u = keras.Input((5,), name="u")
    middle = keras.Model(u, inner(layers.Dense(5, name="lead")(inner(u))), name="middle")
    x = keras.Input((4,), name="x")
    head = keras.Sequential([layers.Dense(6, activation="relu"), layers.Dense(3)], name="head")
    return moved(keras.Model(x, head(middle(layers.Dense(5, name="first")(x))), name="outer"))


def sequential_net():
    """A VGG in small: one path; of its convolutions, three keep the shape."""
    same = {"padding": "same", "activation": "relu"}
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="conv1", **same),
            layers.Conv2D(4, 3, name="conv2", **same),
            layers.MaxPooling2D(name="pool"),
            layers.Conv2D(4, 3, name="conv3", **same),
            layers.Conv2D(6, 3, name="conv4", **same),
            layers.Conv2D(6, 3, name="conv5", **same),
            layers.Flatten(name="flat"),
            layers.Dense(3, name="out"),
        ],
        name="vgg",
    )
    return moved(model)


def without(model, skips: dict):
    """Returns the model without modules, by Keras' own cloning.

    Args:
        model: A functional model.
        skips: By the name of an addition, which of what it adds stays.
    """

    def call(layer, *args, **kwargs):
        if layer.name in skips:  # `Add` takes a list, `+` takes them one by one
            added = args[0] if isinstance(args[0], list | tuple) else args
            return added[skips[layer.name]]
        return layer(*args, **kwargs)

    return keras.models.clone_model(model, call_function=call, clone_function=lambda layer: layer)


def inputs_for(model, n=20, seed=1):
    """Returns random inputs as a model takes them."""
    random = np.random.default_rng(seed)
    result = {}
    for x in model.inputs:
        shape = (n, *x.shape[1:])
        if x.dtype.startswith("float"):
            result[x.name] = random.normal(size=shape).astype("float32")
        elif x.dtype == "bool":
            result[x.name] = random.random(shape) < 0.7
        else:
            result[x.name] = random.integers(0, 11, shape).astype("int32")
    return result if len(result) > 1 else next(iter(result.values()))
