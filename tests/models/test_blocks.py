import keras
import numpy as np
import pytest
from keras import ops

from residual_ensembles import backend
from residual_ensembles.models import BatchNormalization, reestimate_batch_norm


def pair(shape, dtype="float32"):
    """Returns our layer and Keras' own with equal random scale, offset and statistics."""
    random = np.random.default_rng(1)
    weights = [random.uniform(0.5, 1.5, shape[-1]) for _ in range(4)]
    ours = BatchNormalization(dtype=dtype)
    plain = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=dtype)
    for layer in (ours, plain):
        layer.build(shape)
        layer.set_weights(weights)
    return ours, plain


def train(layer, x, cotangent):
    """Returns output, gradients by input, scale and offset, and the new moving statistics."""

    def run(x, gamma, beta):
        mapping = [(layer.gamma, gamma), (layer.beta, beta)]
        statistics = [layer.moving_mean, layer.moving_variance]
        mapping += [(v, ops.convert_to_tensor(v.value)) for v in statistics]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            y = layer(x, training=True)
        moved.extend(scope.get_current_value(v) for v in statistics)
        return y

    moved = []

    def compiled(x, cotangent):
        moved.clear()
        value, pullback = backend.vjp(
            run, x, *map(ops.convert_to_tensor, (layer.gamma, layer.beta))
        )
        return value, pullback(cotangent)

    value, gradients = compiled(x, cotangent)
    return [np.asarray(ops.cast(a, "float32")) for a in (value, *gradients)]


@pytest.mark.parametrize("shape", [(4, 5, 5, 3), (2, 1, 1, 8)])
def test_values_and_gradients_are_those_of_keras_layer(shape):
    random = np.random.default_rng(0)
    x, cotangent = random.normal(2.0, 3.0, (2, *shape)).astype("float32")
    ours, plain = pair(shape)
    for a, b in zip(train(ours, x, cotangent), train(plain, x, cotangent), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_moving_statistics_have_the_bias_of_keras_layer():
    x = np.random.default_rng(0).normal(2.0, 3.0, (4, 3, 3, 5)).astype("float32")
    ours, plain = pair(x.shape)
    for layer in (ours, plain):
        layer(x, training=True)
    for a, b in zip(ours.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    # Without Bessel's correction, which 36 numbers would show.
    expected = 0.9 * pair(x.shape)[0].get_weights()[3] + 0.1 * x.var(axis=(0, 1, 2))
    np.testing.assert_allclose(ours.get_weights()[3], expected, rtol=1e-5)


@pytest.mark.bfloat16
def test_bfloat16_normalizes_within_its_precision():
    x = np.random.default_rng(0).normal(2.0, 3.0, (8, 4, 4, 3)).astype("float32")
    ours, plain = pair(x.shape, "mixed_bfloat16")
    a, b = (np.asarray(ops.cast(layer(x, training=True), "float32")) for layer in (ours, plain))
    np.testing.assert_allclose(a, b, atol=0.05)


def test_inference_uses_the_moving_statistics():
    x = np.random.default_rng(0).normal(2.0, 3.0, (4, 3, 3, 5)).astype("float32")
    ours, _ = pair(x.shape)
    gamma, beta, mean, variance = ours.get_weights()
    np.testing.assert_allclose(
        ours(x), gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta, rtol=1e-4, atol=1e-5
    )


def test_reestimated_statistics_are_those_of_the_images(build, images):
    chain = build("resnet", 8)
    reestimate_batch_norm(chain, images)
    norm = chain.modules[0].transform.norms[0]
    y = ops.convert_to_numpy(chain.stem(images))
    np.testing.assert_allclose(norm.moving_mean.numpy(), y.mean((0, 1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(norm.moving_variance.numpy(), y.var((0, 1, 2)), rtol=1e-4)
    assert norm.momentum == 0.9
    inference, training = chain(images), chain(images, training=True)
    np.testing.assert_allclose(inference, training, rtol=1e-3, atol=1e-4)
