import numpy as np
import pytest

from residual_ensembles import data
from residual_ensembles.data.augmentation import default_augmentation

PAD_CROP = data.Augmentation("pad_crop", padding=4, flip=True)


@pytest.mark.parametrize(
    "augmentation",
    [PAD_CROP, data.Augmentation("none"), data.Augmentation("random_resized_crop", flip=True)],
)
def test_draws_depend_on_seed_epoch_and_image_alone(augmentation):
    at_once = data.draw_augmentation(augmentation, 3, 5, np.arange(100))
    split = data.draw_augmentation(augmentation, 3, 5, np.array([7, 99, 7]))
    for name, values in at_once.items():
        np.testing.assert_array_equal(values[[7, 99, 7]], split[name])


def test_pad_crop_reaches_every_corner_equally_often():
    drawn = data.draw_augmentation(PAD_CROP, 0, 1, np.arange(81_000))
    assert drawn["top"].dtype == drawn["left"].dtype == np.int32
    assert drawn["flip"].dtype == bool
    counts = np.bincount(drawn["top"] * 9 + drawn["left"], minlength=81)
    assert len(counts) == 81
    assert np.abs(counts - 1000).max() < 150  # 1000 ± 4.7 standard deviations
    assert abs(drawn["flip"].mean() - 0.5) < 0.01


def test_epochs_differ():
    first, second = (data.draw_augmentation(PAD_CROP, 0, e, np.arange(1000)) for e in (1, 2))
    assert 0.05 < np.mean(first["top"] == second["top"]) < 0.2  # one in nine by chance


def test_digits_are_moved_but_not_mirrored():
    digits = data.Augmentation("pad_crop", padding=1)
    drawn = data.draw_augmentation(digits, 0, 1, np.arange(500))
    assert set(drawn["top"]) == set(drawn["left"]) == {0, 1, 2}
    assert not drawn["flip"].any()


def test_none_does_not_shift_the_image():
    drawn = data.draw_augmentation(data.Augmentation("none"), 0, 1, np.arange(5))
    assert not np.any([drawn["top"], drawn["left"], drawn["flip"]])


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        (8, data.Augmentation("pad_crop", 1, True)),
        (32, PAD_CROP),
        (127, data.Augmentation("pad_crop", 15, True)),
        (128, data.Augmentation("random_resized_crop", flip=True)),
    ],
)
def test_default_follows_the_size(side, expected):
    assert default_augmentation(side, side + 1) == expected
    assert default_augmentation(side + 1, side) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mixup",), "kind='mixup', expected one of none, pad_crop, random_resized_crop"),
        (("pad_crop", -1), "padding=-1"),
        (("none", 4), "padding=4 for kind='none'"),
        (("none", 0, True), "use 'pad_crop' with padding 0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        data.Augmentation(*arguments)
