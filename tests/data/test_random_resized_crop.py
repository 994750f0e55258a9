import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from residual_ensembles.data import epoch_draws
from residual_ensembles.data.random_resized_crop import ATTEMPTS, N_DRAWS, box, crop, draw


def drawn(n, seed=0):
    return draw(epoch_draws.uniform(seed, 1, np.arange(n), N_DRAWS))


def row(values, i):
    return {name: value[i] for name, value in values.items()}


def test_areas_and_aspects_stay_in_the_published_ranges():
    values = drawn(2000)
    assert 0.08 <= values["area"].min() < 0.081
    assert 0.999 < values["area"].max() <= 1
    assert 3 / 4 <= values["aspect"].min() < 0.751
    assert 1.332 < values["aspect"].max() <= 4 / 3
    assert abs(np.log(values["aspect"]).mean()) < 0.005  # wide as often as tall


@given(height=st.integers(1, 600), width=st.integers(1, 600), seed=st.integers(0, 100))
def test_the_box_is_in_the_image(height, width, seed):
    left, top, right, bottom = box(height, width, **row(drawn(1, seed), 0))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


def test_the_first_box_that_fits_is_taken():
    area, aspect = np.full(ATTEMPTS, 0.25), np.ones(ATTEMPTS)
    assert box(100, 100, area, aspect, top=0.0, left=0.999) == (50, 0, 100, 50)
    area[0], aspect[0] = 1.0, 4 / 3  # 115 wide: does not fit
    assert box(100, 100, area, aspect, top=0.999, left=0.0) == (0, 50, 50, 100)
    area[0], aspect[0] = 0.48, 4 / 3
    assert box(100, 100, area, aspect, top=0.0, left=0.0) == (0, 0, 80, 60)


def test_where_no_box_fits_the_center_is_cropped():
    area, aspect = np.ones(ATTEMPTS), np.ones(ATTEMPTS)
    assert box(10, 100, area, aspect, 0.0, 0.0) == (43, 0, 56, 10)  # 13 wide, 10 high
    assert box(100, 10, area, aspect, 0.0, 0.0) == (0, 43, 10, 56)


def test_crop_resizes_the_box_and_mirrors_it():
    array = np.zeros((8, 8, 3), np.uint8)
    array[:4, 4:] = 200  # the upper right quarter
    quarter = {"area": np.full(ATTEMPTS, 0.25), "aspect": np.ones(ATTEMPTS)}
    image = Image.fromarray(array)
    right = crop(image, 6, 6, **quarter, top=0.0, left=0.999, flip=False)
    assert right.size == (6, 6)
    assert np.all(np.asarray(right) == 200)
    complete = {"area": np.ones(ATTEMPTS), "aspect": np.ones(ATTEMPTS), "top": 0.0, "left": 0.0}
    mirrored = crop(image, 8, 8, **complete, flip=True)
    np.testing.assert_array_equal(np.asarray(mirrored), array[:, ::-1])


@pytest.mark.parametrize(("height", "width"), [(5, 9), (9, 5)])
def test_crop_has_the_requested_size(height, width):
    result = crop(Image.new("L", (40, 30)), height, width, **row(drawn(1), 0), flip=False)
    assert result.size == (width, height)
