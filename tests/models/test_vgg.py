import numpy as np
import pytest

from residual_ensembles import models
from residual_ensembles.models import vgg


def test_fifteen_layers_of_128_channels(build):
    chain = build("vgg", 15, (32, 32, 3))
    assert len(chain.modules) == models.n_modules("vgg", 15) == 12
    assert {shape[-1] for shape in chain.shapes} == {128}
    kernels = [v for v in chain.trainable_variables if len(v.shape) in (2, 4)]
    assert len(kernels) == 15


@pytest.mark.parametrize(
    ("side", "pooled"),
    [(8, [1, 3]), (16, [1, 3, 6]), (32, [1, 3, 6, 9]), (64, [1, 3, 6, 9, 12]), (2, [])],
)
def test_small_images_are_pooled_less_often(side, pooled):
    assert vgg.pooled_modules(side) == pooled


def test_a_deleted_layer_keeps_its_pooling(build, images):
    chain = build("vgg", 15)
    y = chain.stem(images)
    first, second = chain.modules[:2]
    expected = np.asarray(y).reshape(8, 4, 2, 4, 2, 128).max(axis=(2, 4))
    np.testing.assert_array_equal(first.deleted(y), expected)
    assert second.deleted(y) is y


def test_there_is_no_way_around_a_layer(build):
    assert not any(module.has_skip for module in build("vgg", 15).modules)


def test_other_depths_and_gates_are_refused(build):
    with pytest.raises(ValueError, match="depth=16"):
        build("vgg", 16)
    with pytest.raises(ValueError, match="gating=none"):
        build("vgg", 15, survival=[0.5] * 12)
