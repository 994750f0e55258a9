import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from residual_ensembles import backend, data
from residual_ensembles.data.pad_crop import crop_and_flip_on_host


def on_device(images, top, left, flip, padding, fill):
    compiled = backend.compile(lambda *drawn: data.crop_and_flip(*drawn, padding, fill))
    arguments = (ops.convert_to_tensor(value) for value in (images, top, left, flip))
    return ops.convert_to_numpy(compiled(*arguments))


@pytest.mark.parametrize(
    ("shape", "padding", "dtype"),
    [
        ((40, 32, 32, 3), 4, "uint8"),
        ((40, 8, 8, 1), 1, "uint8"),
        ((10, 5, 7, 3), 2, "float32"),
        ((3, 6, 6, 1), 0, "uint8"),
    ],
)
def test_device_equals_host(shape, padding, dtype):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, shape).astype(np.uint8)
    augmentation = data.Augmentation("pad_crop", padding=padding, flip=True)
    drawn = data.draw_augmentation(augmentation, 0, 1, np.arange(shape[0]))
    fill = np.arange(1, 1 + shape[-1]) * 10.0
    expected = crop_and_flip_on_host(images, **drawn, padding=padding, fill=fill)
    result = on_device(images.astype(dtype), **drawn, padding=padding, fill=fill)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, expected)


def test_host_equals_a_case_by_hand():
    image = np.arange(1, 5, dtype=np.uint8).reshape(1, 2, 2, 1)  # 1 2 / 3 4
    drawn = {"top": np.array([0]), "left": np.array([2]), "flip": np.array([False])}
    moved = crop_and_flip_on_host(image, **drawn, padding=1, fill=np.array([8.6]))
    np.testing.assert_array_equal(moved[0, ..., 0], [[9, 9], [2, 9]])
    drawn["flip"] = np.array([True])
    mirrored = crop_and_flip_on_host(image, **drawn, padding=1, fill=np.array([8.6]))
    np.testing.assert_array_equal(mirrored[0, ..., 0], [[9, 9], [9, 2]])


@settings(max_examples=30, deadline=None)
@given(top=st.integers(0, 6), left=st.integers(0, 6), flip=st.booleans(), seed=st.integers(0, 99))
def test_each_pixel_has_the_expected_source(top, left, flip, seed):
    images = np.random.default_rng(seed).integers(0, 256, (1, 4, 5, 2)).astype(np.uint8)
    fill = np.array([3.0, 7.0])
    result = crop_and_flip_on_host(
        images, np.array([top]), np.array([left]), np.array([flip]), 3, fill
    )
    for row, column in np.ndindex(4, 5):
        y, x = row + top - 3, (4 - column if flip else column) + left - 3
        inside = 0 <= y < 4 and 0 <= x < 5
        np.testing.assert_array_equal(result[0, row, column], images[0, y, x] if inside else fill)


def test_padding_has_exactly_the_mean_so_that_it_is_zero_after_normalization():
    mean = np.float32([77.77282724284609])
    result = on_device(
        np.zeros((1, 8, 8, 1), np.uint8), np.int32([0]), np.int32([0]), np.array([False]), 1, mean
    )
    assert np.all(result[0, 0] - mean == 0)
    assert np.all(result[0, 1:, 1:] == 0)
