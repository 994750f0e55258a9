import numpy as np
import pytest
from PIL import Image

from residual_ensembles.data.split import center_crop


@pytest.mark.parametrize("size", [(250, 200), (200, 250), (17, 300), (256, 256), (1000, 999)])
def test_size_is_as_asked(size):
    assert center_crop(Image.new("RGB", size), 224, 224, 256).size == (224, 224)


def test_the_center_is_cropped():
    array = np.zeros((8, 12, 3), np.uint8)
    array[2:6, 4:8] = 255
    result = center_crop(Image.fromarray(array), 4, 4, 8)
    assert np.all(np.asarray(result) == 255)


def test_an_image_of_the_right_size_is_unchanged():
    array = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    np.testing.assert_array_equal(
        np.asarray(center_crop(Image.fromarray(array), 32, 32, 32)), array
    )


def test_the_shorter_side_decides_the_scale():
    array = np.zeros((64, 128), np.uint8)
    array[:, 32:96] = 255  # the central square, which is what remains
    result = np.asarray(center_crop(Image.fromarray(array), 16, 16, 16))
    assert np.all(result[:, 1:-1] == 255)
