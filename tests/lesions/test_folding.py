import keras
import numpy as np

from residual_ensembles.lesions.folding import affine, fold
from residual_ensembles.models import BatchNormalization


def norm_of(channels):
    norm = BatchNormalization()
    norm.build((None, 4, 4, channels))
    random = np.random.default_rng(0)
    for variable in norm.variables:
        variable.assign(random.uniform(0.5, 2.0, variable.shape))
    return norm


def test_by_hand():
    norm = norm_of(1)
    for variable, value in zip(
        (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance),
        (3.0, 1.0, 5.0, 4.0 - 1e-5),
        strict=True,
    ):
        variable.assign([value])
    scale, offset = affine(norm)  # (x − 5) / 2 · 3 + 1
    np.testing.assert_allclose([scale[0], offset[0]], [1.5, -6.5], rtol=1e-6)


def test_a_folded_convolution_does_the_work_of_both():
    conv, norm = keras.layers.Conv2D(5, 3, padding="same", use_bias=False), norm_of(5)
    conv.build((None, 6, 6, 2))
    x = np.random.default_rng(1).normal(size=(2, 6, 6, 2)).astype("float32")
    kernel, bias = fold(conv.kernel, affine(norm))
    folded = keras.ops.conv(x, kernel.astype("float32"), padding="same") + bias.astype("float32")
    np.testing.assert_allclose(folded, norm(conv(x)), rtol=1e-4, atol=1e-5)
