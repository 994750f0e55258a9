import numpy as np
import pytest
from sklearn.datasets import load_digits

from residual_ensembles import data


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return data.prepare("digits", tmp_path_factory.mktemp("digits") / "prepared")


def test_title_classes_and_sizes(digits):
    assert (digits.name, digits.title) == ("digits", "Digits (scikit-learn)")
    assert digits.class_names == list("0123456789")
    assert digits.description["counts"] == {"train": 1293, "validation": 144, "test": 360}
    assert digits.augmentation == data.Augmentation("pad_crop", padding=1, flip=False)


def test_all_of_scikit_learns_images_are_there(digits):
    original = load_digits()
    expected = {
        (np.rint(image * 15.9375).astype(np.uint8).tobytes(), label)
        for image, label in zip(original.images, original.target, strict=True)
    }
    splits = [digits.split(name) for name in ("train", "validation", "test")]
    result = {
        (image.tobytes(), label)
        for split in splits
        for image, label in zip(split.array, split.labels, strict=True)
    }
    assert result == expected
    assert {pixel for split in splits for pixel in np.unique(split.array)} >= {0, 128, 255}


def test_the_test_split_has_its_share_of_each_class_for_any_seed(digits, tmp_path):
    test = digits.split("test")
    assert np.abs(np.bincount(test.labels) - np.bincount(load_digits().target) / 5).max() < 1.01
    other = data.prepare("digits", tmp_path / "prepared", seed=7, validation_fraction=0)
    np.testing.assert_array_equal(other.split("test").array, test.array)
    assert len(other.split("train")) == 1437
