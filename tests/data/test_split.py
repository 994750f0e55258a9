import numpy as np
import pytest

from residual_ensembles import data
from residual_ensembles.data import pad_crop
from tests.helpers.sources import ListSource, encoded, random_rows

SPLITS = ("train", "validation", "test")


@pytest.fixture
def rows():
    return random_rows(40, 8, 8)


@pytest.fixture
def arrays(write, rows):
    return write(ListSource(rows, random_rows(9, 8, 8, seed=1)), "arrays", storage="arrays")


@pytest.fixture
def records(write, rows):
    return write(ListSource(rows, random_rows(9, 8, 8, seed=1)), "records", storage="records")


def test_every_image_is_in_one_split_with_its_label(arrays, rows):
    result = {}
    for name in ("train", "validation"):
        split = arrays.split(name)
        for image, label in zip(split.images(slice(None)), split.labels, strict=True):
            result[image.tobytes()] = label
    assert result == {array.tobytes(): label for array, label in rows}


@pytest.mark.parametrize("name", SPLITS)
def test_both_storages_hold_the_same(arrays, records, name):
    one, other = arrays.split(name), records.split(name)
    assert len(one) == len(other)
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_array_equal(one.array, other.images(slice(None)))
    assert other.array is None


@pytest.mark.parametrize("storage", ["arrays", "records"])
def test_any_index_is_read_directly(storage, request):
    split = request.getfixturevalue(storage).split("train")
    everything = split.images(slice(None))
    assert everything.dtype == np.uint8
    assert everything.shape == (len(split), 8, 8, 3)
    for indices in ([5], [7, 0, 7], np.array([-1, 3]), slice(2, 30, 5), []):
        np.testing.assert_array_equal(split.images(indices), everything[indices])
    with pytest.raises(IndexError):
        split.images([len(split)])


@pytest.mark.parametrize("storage", ["arrays", "records"])
def test_augmented_is_a_function_of_seed_epoch_and_position(storage, request):
    split = request.getfixturevalue(storage).split("train")
    at_once = split.augmented(slice(None), 1, 2)
    np.testing.assert_array_equal(split.augmented([9, 3], 1, 2), at_once[[9, 3]])
    assert not np.array_equal(split.augmented(slice(None), 1, 3), at_once)
    assert not np.array_equal(split.augmented(slice(None), 2, 2), at_once)


def test_augmented_is_the_drawn_crop(arrays, records):
    indices = np.arange(12)
    drawn = data.draw_augmentation(arrays.augmentation, 0, 1, indices)
    expected = pad_crop.crop_and_flip_on_host(
        arrays.split("train").array[:12], **drawn, padding=1, fill=arrays.mean
    )
    for prepared in (arrays, records):
        np.testing.assert_array_equal(prepared.split("train").augmented(indices, 0, 1), expected)


def test_no_augmentation_is_the_image_itself(write):
    source = ListSource(random_rows(20, 8, 8), random_rows(6, 8, 8))
    split = write(source, augmentation=data.Augmentation("none")).split("train")
    np.testing.assert_array_equal(split.augmented(slice(None), 0, 1), split.array)


@pytest.mark.parametrize("storage", ["arrays", "records"])
@pytest.mark.parametrize("channels", [1, 3])
def test_random_resized_crops_are_made_from_either_storage(write, storage, channels):
    source = ListSource(random_rows(20, 12, 12, channels), random_rows(6, 12, 12, channels))
    augmentation = data.Augmentation("random_resized_crop", flip=True)
    split = write(source, augmentation=augmentation, storage=storage).split("train")
    at_once = split.augmented(slice(None), 0, 1)
    assert at_once.shape == (18, 12, 12, channels)
    np.testing.assert_array_equal(split.augmented([4, 2], 0, 1), at_once[[4, 2]])


def test_a_broken_record_says_so_when_it_is_read(write):
    rows = random_rows(20, 32, 32)
    rows[3] = (encoded(rows[3][0])[:1000], 0)  # its header is whole, and the source vouched for it
    source = ListSource(rows, random_rows(3, 32, 32))
    with pytest.raises(ValueError, match="image 3"):
        write(source, storage="records", validation_fraction=0)
