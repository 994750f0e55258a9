"""The pruned model keeps what layers hold besides weights; what cannot be copied is refused."""

import keras
import numpy as np
import pytest
from keras import layers

from residual_ensembles.lesions import lesion_study
from residual_ensembles.pruning import prune
from residual_ensembles.unraveling import unravel


def model_with(first, inputs):
    """A stem, two modules and a softmax behind a layer."""
    x = keras.Input(inputs.shape[1:], dtype=inputs.dtype.name)
    y = layers.Dense(8)(first(x))
    for _ in range(2):
        y = layers.Add()([y, layers.Dense(8, activation="relu")(y)])
    return keras.Model(x, layers.Dense(3, activation="softmax")(y))


def normalization(inputs, **options):
    layer = layers.Normalization(**options)
    layer.adapt(inputs)
    return layer


def lookup(inputs):
    layer = layers.IntegerLookup(output_mode="one_hot")
    layer.adapt(inputs)
    return layer


def weighted_lookup(inputs):
    layer = layers.IntegerLookup(output_mode="tf_idf")
    layer.adapt(inputs)
    return layer


@keras.saving.register_keras_serializable("tests")
class Within(layers.Layer):
    """An adapted layer within another one."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.normal = layers.Normalization()
        self.dense = layers.Dense(6)

    def build(self, shape):
        self.normal.build(shape)
        self.dense.build(shape)

    def call(self, x):
        return self.dense(self.normal(x))


def within(inputs):
    layer = Within()
    layer(inputs)
    layer.normal.adapt(inputs)
    return layer


@keras.saving.register_keras_serializable("tests")
class Remembers(layers.Layer):
    """What it was adapted to is in no file of it."""

    shift = 0.0

    def adapt(self, inputs):
        self.shift = float(inputs.mean())

    def call(self, x):
        return x - self.shift


def remembers(inputs):
    layer = Remembers()
    layer.adapt(inputs)
    return layer


def bins(inputs):
    layer = layers.Discretization(num_bins=6, output_mode="multi_hot")
    layer.adapt(inputs)
    return layer


@pytest.fixture(scope="module")
def numbers():
    return np.random.default_rng(0).normal(100, 40, (64, 8)).astype("float32")


@pytest.fixture(scope="module")
def tokens():
    return (np.arange(64) % 6).reshape(-1, 1).astype("int64")


def check(first, inputs, tmp_path):
    chain = unravel(model_with(first, inputs))
    pruned = prune(chain, 1, (inputs, np.arange(len(inputs)) % 3))
    gates = np.ones(2, "float32")
    gates[pruned.deleted[0] - 1] = 0
    expected = np.asarray(chain(inputs, gates=gates))
    np.testing.assert_allclose(pruned.model(inputs), expected, atol=1e-6)
    assert pruned.agreement < 1e-6
    assert np.abs(expected - expected[0]).max() > 1e-2  # and not the same for all
    pruned.model.save(tmp_path / "pruned.keras")
    loaded = keras.models.load_model(tmp_path / "pruned.keras")
    np.testing.assert_allclose(loaded(inputs), expected, atol=1e-6)


@pytest.mark.parametrize("make", [normalization, within, bins])
def test_the_pruned_model_keeps_what_was_adapted_to_numbers(make, numbers, tmp_path):
    check(make(numbers), numbers, tmp_path)


@pytest.mark.parametrize("make", [lookup, weighted_lookup])
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="lookups need TensorFlow")
def test_the_pruned_model_keeps_a_vocabulary(make, tokens, tmp_path):
    check(make(tokens), tokens, tmp_path)


def test_what_is_in_no_file_is_refused_before_the_search(numbers):
    chain = unravel(model_with(remembers(numbers), numbers))

    def loss(targets, outputs):
        raise AssertionError("the search has begun")

    with pytest.raises(ValueError, match="built anew"):
        prune(chain, 1, (numbers, np.arange(64) % 3), loss=loss)


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method:UserWarning")
def test_attention_that_was_quantized_is_refused_by_name(numbers):
    """Keras quantizes the layers in it, and its configuration does not say so."""
    x = keras.Input((6, 8))
    y = layers.LayerNormalization()(x)
    y = layers.Add(name="first")([x, layers.MultiHeadAttention(2, 4, name="attention")(y, y)])
    y = layers.Add(name="second")([y, layers.Dense(8, activation="relu")(y)])
    model = keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling1D()(y)))
    model.quantize("int8")
    inputs = numbers[:48].reshape(8, 6, 8) / 100
    chain = unravel(model)
    table = lesion_study(chain, inputs, np.arange(8) % 3)
    assert table["name"].tolist() == ["", "first", "second"]
    with pytest.raises(ValueError, match="layer attention"):
        prune(chain, 1, (inputs, np.arange(8) % 3))


def test_images_normalized_as_keras_does_it():
    """EfficientNet and its kin take the statistics of their images so."""
    inputs = np.random.default_rng(1).uniform(0, 255, (20, 8, 8, 3)).astype("float32")
    x = keras.Input((8, 8, 3))
    y = normalization(inputs / 255, axis=3)(layers.Rescaling(1 / 255)(x))
    for _ in range(2):
        y = layers.Add()([y, layers.Conv2D(3, 3, padding="same", activation="swish")(y)])
    y = layers.GlobalAveragePooling2D()(y)
    chain = unravel(keras.Model(x, layers.Dense(3, activation="softmax")(y)))
    pruned = prune(chain, 1, (inputs, np.arange(20) % 3))
    kept = np.array([0.0 if i in pruned.deleted else 1.0 for i in (1, 2)], "float32")
    np.testing.assert_allclose(pruned.model(inputs), chain(inputs, gates=kept), atol=1e-6)
