import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from residual_ensembles import data
from residual_ensembles.data import preparation, prepared, records
from tests.helpers.sources import ListSource, random_rows


@pytest.fixture
def source():
    return ListSource(random_rows(60, 8, 8), random_rows(12, 8, 8, seed=1))


@pytest.mark.parametrize("storage", ["arrays", "records"])
def test_mean_and_deviation_are_those_of_the_train_split(write, source, storage):
    result = write(source, storage=storage)
    images = result.split("train").images(slice(None)).astype(float)
    np.testing.assert_allclose(result.mean, images.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(result.std, images.std((0, 1, 2)), rtol=1e-9)


def test_a_channel_of_one_color_divides_by_one(write):
    rows = [(array * np.uint8([1, 0, 1]), label) for array, label in random_rows(12, 8, 8)]
    result = write(ListSource(rows, rows))
    assert result.mean[1] == 0
    assert result.std[1] == 1


def test_a_large_set_is_measured_on_a_sample(write, source, monkeypatch):
    monkeypatch.setattr(preparation, "STATISTICS_IMAGES", 20)
    sampled = [write(source, f"{i}", storage="records").mean for i in range(2)]
    assert sampled[0] == sampled[1] != write(source, "whole", storage="arrays").mean


def test_the_validation_split_is_stratified(write, source):
    result = write(source, validation_fraction=0.2, seed=3)
    for name, n in (("train", 16), ("validation", 4), ("test", 4)):
        assert np.bincount(result.split(name).labels).tolist() == [n, n, n]


def test_the_validation_split_depends_on_the_seed_alone(write, source):
    one, same, other = (write(source, f"{i}", seed=seed) for i, seed in enumerate((0, 0, 1)))
    assert one.checksum == same.checksum != other.checksum
    np.testing.assert_array_equal(one.split("train").array, same.split("train").array)
    np.testing.assert_array_equal(one.split("test").array, other.split("test").array)


@pytest.mark.parametrize("storage", ["arrays", "records"])
def test_the_validation_split_may_be_empty(write, source, storage):
    result = write(source, validation_fraction=0.0, storage=storage)
    assert [len(result.split(name)) for name in prepared.SPLITS] == [60, 0, 12]
    assert result.split("validation").images(slice(None)).shape == (0, 8, 8, 3)


def test_limits_draw_by_class(write, source):
    result = write(source, limit_train=30, limit_test=6)
    assert result.description["counts"] == {"train": 27, "validation": 3, "test": 6}
    assert np.bincount(result.split("test").labels).tolist() == [2, 2, 2]
    everything = write(source, "all", limit_train=0, limit_test=1000)
    assert everything.description["counts"] == {"train": 54, "validation": 6, "test": 12}


def test_the_checksum_covers_images_labels_and_view(write):
    rows, test = random_rows(12, 8, 8), random_rows(3, 8, 8)
    brighter = [(rows[0][0] ^ 1, rows[0][1]), *rows[1:]]
    swapped = [(rows[0][0], 1), (rows[1][0], 0), *rows[2:]]
    results = [
        write(ListSource(rows, test), "0"),
        write(ListSource(brighter, test), "1"),
        write(ListSource(swapped, test), "2"),
        write(ListSource(rows, test[::-1]), "3"),
        write(ListSource(rows, test), "4", augmentation=data.Augmentation("none")),
    ]
    assert len({result.checksum for result in results}) == 5


def test_a_repeated_preparation_writes_equal_files(write, source):
    for storage in ("arrays", "records"):
        one, other = (write(source, f"{storage}{i}", storage=storage).folder for i in range(2))
        for path in one.iterdir():
            assert path.read_bytes() == (other / path.name).read_bytes()


def test_auto_keeps_small_sets_as_arrays_and_large_ones_as_records(write, source, monkeypatch):
    n_bytes = 72 * 8 * 8 * 3
    monkeypatch.setattr(preparation, "ARRAY_BYTES", n_bytes)
    assert write(source, "small").split("train").array is not None
    monkeypatch.setattr(preparation, "ARRAY_BYTES", n_bytes - 1)
    assert write(source, "large").split("train").array is None


def test_title_may_be_given(write, source):
    assert write(source, title="My images").title == "My images"


def test_unequal_sizes_are_refused_unless_they_are_resized(write):
    source = ListSource(random_rows(9, 8, 8) + random_rows(9, 10, 6), random_rows(3, 8, 8))
    with pytest.raises(ValueError, match=r"8×8 \(train 0\) and 10×6 \(train 9\).*--resize"):
        write(source, "refused")
    for storage in ("arrays", "records"):
        result = write(source, storage, resize=4, storage=storage)
        assert result.split("train").images([0, -1]).shape == (2, 4, 4, 3)


def test_resized_arrays_are_what_resized_records_show(write):
    source = ListSource(random_rows(18, 20, 30), random_rows(6, 30, 20))
    one, other = (write(source, name, resize=16, storage=name) for name in prepared.STORAGES)
    for name in prepared.SPLITS:
        np.testing.assert_array_equal(
            one.split(name).images(slice(None)), other.split(name).images(slice(None))
        )


def test_jpegs_like_those_of_imagenet_are_kept_encoded_and_read_by_index(write):
    """A few dozen images of about 250×200, varying in size, seen at 224×224."""
    rows = [random_rows(1, 190 + i, 260 - i, seed=i)[0] for i in range(36)]
    rows = [(array, i % 3) for i, (array, _) in enumerate(rows)]
    source = ListSource(rows, rows[:6], format_="JPEG")
    result = write(source, resize=224, storage="records")
    assert result.augmentation == data.Augmentation("random_resized_crop", flip=True)
    assert result.image_shape == (224, 224, 3)
    train = result.split("train")
    assert (len(train), train.array) == (32, None)
    stored = train.stored(np.array([5]))[0]
    assert stored[4:6] == b"\xff\xd8"  # the JPEG itself, after its label
    evaluated = train.images([31, 0, 5])
    assert evaluated.shape == (3, 224, 224, 3)
    np.testing.assert_array_equal(train.images([0])[0], evaluated[1])
    augmented = train.augmented([31, 0, 5], seed=0, epoch=1)
    assert augmented.shape == (3, 224, 224, 3)
    np.testing.assert_array_equal(train.augmented([5], 0, 1)[0], augmented[2])
    assert json.loads((result.folder / "meta.json").read_text())["shorter_side"] == 256


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"validation_fraction": 1.0}, "validation_fraction=1.0, expected 0 or more, less than 1"),
        ({"validation_fraction": -0.1}, "validation_fraction=-0.1"),
        ({"seed": -1}, "seed=-1, expected 0 to 4294967295"),
        ({"resize": -1}, "resize=-1"),
        ({"limit_train": -1}, "limit_train=-1"),
        ({"limit_test": -1}, "limit_test=-1"),
        ({"storage": "zip"}, "storage='zip', expected one of auto, arrays, records"),
    ],
)
def test_arguments_out_of_range_are_refused_before_anything_is_read(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        data.prepare("digits", tmp_path / "prepared", **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_a_fraction_that_leaves_a_split_empty_is_refused(write, source, fraction):
    with pytest.raises(ValueError, match=f"validation_fraction {fraction}"):
        write(source, validation_fraction=fraction)


def test_one_class_is_refused(write):
    rows = random_rows(6, 8, 8, n_classes=1)
    with pytest.raises(ValueError, match="list with 1 class"):
        write(ListSource(rows, rows, n_classes=1))


def test_a_source_that_changes_is_refused(write, source):
    batches, looks = source.batches, []

    def changing(split):
        looks.append(split)
        return list(batches(split))[: -1 if len(looks) > 2 else None]

    source.batches = changing
    with pytest.raises(ValueError, match=r"5\d .*train .*60"):
        write(source, validation_fraction=0.0)


def test_a_source_that_changes_its_order_is_refused(write, source):
    looks = []
    batches = source.batches

    def changing(split):
        looks.append(split)
        return batches(split) if len(looks) < 3 else reversed(list(batches(split, 10)))

    source.batches = changing
    with pytest.raises(ValueError, match="labels from list"):
        write(source)


def test_without_tensorflow_it_says_where_to_prepare(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setattr(preparation.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="TensorFlow"):
        data.prepare("digits", tmp_path / "prepared")


def test_one_line_counts_the_images_that_are_converted(write, capsys):
    def saved(mode, format_):
        file = io.BytesIO()
        Image.new(mode, (8, 8)).save(file, format_)
        return file.getvalue()

    odd = [(saved("CMYK", "JPEG"), 0), (saved("RGBA", "PNG"), 1), (saved("RGBA", "PNG"), 2)]
    write(ListSource(random_rows(30, 8, 8) + odd, random_rows(6, 8, 8) + odd[:1]))
    assert capsys.readouterr().out == (
        f"images that are converted: 2 {records.CMYK}, 2 {records.TRANSPARENT}\n"
    )
    write(ListSource(random_rows(30, 8, 8), random_rows(6, 8, 8)), name="usual")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["seed", "resize", "limit_train", "limit_test"])
@pytest.mark.parametrize("value", [1.5, float("nan"), True, "8"])
def test_numbers_that_are_no_integers_are_refused(tmp_path, name, value):
    with pytest.raises(TypeError, match=f"Received {name}=.*, expected an integer"):
        data.prepare("digits", tmp_path / "x", **{name: value})


def test_a_size_that_no_memory_holds_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Received resize=100000, expected 0 to 4096"):
        data.prepare("digits", tmp_path / "x", resize=100_000)
    assert not list(tmp_path.iterdir())
