import keras
import numpy as np
import pytest

from residual_ensembles.models import BatchNormalization
from residual_ensembles.report.explorer.operations import half, operations


def built(layer, shape=(None, 4, 4, 3)):
    layer.build(shape)
    return layer


def test_a_convolution_keeps_its_kernel():
    layer = built(keras.layers.Conv2D(5, 3, strides=2, padding="same", use_bias=False))
    (operation,) = operations(layer)
    assert operation.facts == {"op": "conv", "kernel": [3, 3, 3, 5], "stride": 2}
    np.testing.assert_allclose(operation.half[0], layer.kernel, rtol=1e-3, atol=1e-7)


def test_norms_become_scale_and_offset():
    norm = built(BatchNormalization())
    for variable, value in (
        (norm.gamma, 2.0),
        (norm.beta, 1.0),
        (norm.moving_mean, 3.0),
        (norm.moving_variance, 4.0 - 1e-5),
    ):
        variable.assign(np.full(3, value, "float32"))
    (operation,) = operations(norm)
    np.testing.assert_allclose(operation.single, [[1.0] * 3, [-2.0] * 3], rtol=1e-6)
    images = keras.layers.Normalization(mean=[77.0], variance=[4.0])
    (operation,) = operations(built(images, (None, 4, 4, 1)))
    np.testing.assert_allclose(operation.single, [[0.5], [-38.5]], rtol=1e-6)


def test_no_layer_has_no_operations():
    assert operations(None) == []


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Dropout(0.5),
        keras.layers.Conv2D(2, 3),
        keras.layers.Conv2D(2, 3, padding="same"),
        keras.layers.ReLU(max_value=6),
        keras.layers.MaxPooling2D(3, 2, padding="same"),
        keras.layers.Dense(2, activation="relu"),
        keras.layers.Normalization(mean=[1.0] * 3, variance=[1.0] * 3, invert=True),
        BatchNormalization(scale=False),
    ],
)
def test_what_it_cannot_run_is_refused(layer):
    kind = type(layer).__name__
    with pytest.raises(ValueError, match=kind):
        operations(built(layer))


def test_a_weight_too_large_for_float16_is_refused():
    assert half([65504.0, 1e-7]).dtype == np.float16
    with pytest.raises(ValueError, match=r"7e\+04.* 65504"):
        half([1.0, -70000.0])
