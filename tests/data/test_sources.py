import errno
import socket
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from residual_ensembles import data
from residual_ensembles.data import sources
from residual_ensembles.data.folder import CIFAR10_CLASSES
from residual_ensembles.data.sources import open_source

N = {"train": 300, "validation": 20, "test": 10}  # train is more than one batch


class Tiles(tfds.core.GeneratorBasedBuilder):
    """Gray images whose shade is their class; `unlabeled` hides the test split's classes."""

    VERSION = tfds.core.Version("1.2.3")
    BUILDER_CONFIGS = [  # noqa: RUF012 - as tfds wants it
        tfds.core.BuilderConfig(name="labeled"),
        tfds.core.BuilderConfig(name="unlabeled"),
    ]

    def _info(self):
        features = {
            "id": tfds.features.Text(),
            "image": tfds.features.Image(shape=(6, 6, 1)),
            "kind": tfds.features.ClassLabel(names=["dark", "light"]),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "kind"),
        )

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split, n) for split, n in N.items()}

    def _generate_examples(self, split, n):
        for i in range(n):
            hidden = split == "test" and self.builder_config.name == "unlabeled"
            kind, shade = i % 2, 100 + i % 2
            image = np.full((6, 6, 1), shade, np.uint8)
            yield i, {"id": str(i), "image": image, "kind": -1 if hidden else kind}


class Sentences(tfds.core.GeneratorBasedBuilder):
    """Not an image classification set."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(num_classes=2)}
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("text", "label"),
        )

    def _split_generators(self, dl_manager):
        return {}

    def _generate_examples(self):
        yield from ()


class Deep(Sentences):
    """Images of sixteen bits."""

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(4, 4, 1), dtype=np.uint16),
            "label": tfds.features.ClassLabel(num_classes=2),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))


class Broken(Tiles):
    """A set whose own program fails."""

    BUILDER_CONFIGS = ()

    def _split_generators(self, dl_manager):
        raise AssertionError("Manual directory is empty.\nDownload the set by hand.")


class TrainOnly(Tiles):
    """A set with nothing to test on."""

    BUILDER_CONFIGS = ()

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples("train", 20)}


@pytest.fixture(autouse=True)
def data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    return tmp_path / "tfds"


def test_all_of_a_tfds_set_is_read(tmp_path):
    prepared = data.prepare("tfds:tiles", tmp_path / "prepared")
    assert (prepared.name, prepared.title) == ("tiles", "tiles")
    assert prepared.class_names == ["dark", "light"]
    assert prepared.image_shape == (6, 6, 1)
    assert prepared.description["counts"] == {"train": 270, "validation": 30, "test": 10}
    assert prepared.description["source"] == "tfds:tiles"
    assert prepared.description["source_version"] == "1.2.3"
    assert prepared.description["splits"] == {"train": "train", "test": "test"}
    for name in ("train", "validation", "test"):
        split = prepared.split(name)
        shades = split.array.reshape(len(split), -1)
        np.testing.assert_array_equal(shades, np.repeat(100 + split.labels[:, None], 36, axis=1))


def test_validation_replaces_a_test_split_without_labels(tmp_path):
    prepared = data.prepare("tfds:tiles/unlabeled", tmp_path / "prepared")
    assert prepared.description["splits"] == {"train": "train", "test": "validation"}
    assert len(prepared.split("test")) == N["validation"]


def test_a_set_that_was_made_as_array_records_is_read_too(tmp_path, data_dir):
    Tiles(data_dir=data_dir, config="labeled", file_format="array_record").download_and_prepare()
    prepared = data.prepare("tfds:tiles/labeled", tmp_path / "prepared")
    assert prepared.description["counts"] == {"train": 270, "validation": 30, "test": 10}


def test_images_stay_encoded_until_they_are_asked_for():
    with open_source("tfds:tiles") as source:
        batch = next(source.batches("train"))
    assert batch.images[0].startswith(b"\x89PNG")
    assert batch.names[:2] == ["image 0 of train", "image 1 of train"]


@pytest.mark.parametrize("name", ["tiles", "tiles:1.2.3"])
def test_known_sets_have_titles(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sources.TITLES, "tiles", "Two shades")
    prepared = data.prepare(f"tfds:{name}", tmp_path / "prepared", limit_train=20)
    assert (prepared.name, prepared.title) == ("tiles", "Two shades")


def test_sets_that_mirroring_would_change_are_not_flipped(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "NOT_FLIPPED", ("tiles",))
    prepared = data.prepare("tfds:tiles/unlabeled", tmp_path / "prepared")
    assert prepared.augmentation == data.Augmentation("pad_crop", padding=1, flip=False)


def test_random_images_of_a_mocked_set_are_read(monkeypatch):
    """cifar10 itself cannot be downloaded by a test; its features and keys are tfds' own."""
    with tfds.testing.mock_data(num_examples=5):
        builder = tfds.builder("cifar10")
        monkeypatch.setattr(sources.Source, "_test_split", lambda *_: "test")
        source = sources.Source(builder, "tfds:cifar10", "cifar10", "CIFAR-10", verified=True)
        (batch,) = source._batches("train")
    assert len(source.class_names) == 10
    assert source.channels == 3
    assert source.flip
    assert [image[:4] for image in batch.images] == [b"\x89PNG"] * 5


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ("digit", "source 'digit'"),
        ("tfds:", "source 'tfds:'"),
        ("folder:", "source 'folder:'"),
        ("tfds:cifar11", "tfds:cifar11.* cifar10"),
        ("tfds:qqqqqq", "tfds:qqqqqq"),
        ("tfds:tiles/nope", "tfds:tiles/nope"),
        ("tfds:sentences", "tfds:sentences.* text, label"),
        ("tfds:deep", "tfds:deep .*uint16"),
        ("tfds:broken", "tfds:broken: Manual directory is empty"),
        ("tfds:train_only", "tfds:train_only .* train"),
    ],
)
def test_unknown_sources_are_refused(tmp_path, specification, message):
    with pytest.raises(ValueError, match=message):
        data.prepare(specification, tmp_path / "prepared")
    assert not (tmp_path / "prepared").exists()


def test_all_of_a_folder_is_read(tmp_path, make_tree):
    root = make_tree(per_class=10)
    prepared = data.prepare(f"folder:{root}", tmp_path / "prepared")
    assert (prepared.name, prepared.title) == ("tree", "tree")
    assert prepared.class_names == ["cat", "dog"]
    assert prepared.description["source"] == "folder:tree"  # and not where it was on this machine
    for split, splits in {"train": ("train", "validation"), "test": ("test",)}.items():
        result = {
            (image.tobytes(), label)
            for split in map(prepared.split, splits)
            for image, label in zip(split.array, split.labels, strict=True)
        }
        expected = {
            (np.asarray(Image.open(path)).tobytes(), label)
            for label, name in enumerate(prepared.class_names)
            for path in (root / split / name).iterdir()
        }
        assert result == expected


def test_cifar10_as_jpeg_is_named_so(tmp_path, make_tree):
    root = make_tree(CIFAR10_CLASSES, 2, (32, 32))
    prepared = data.prepare(f"folder:{root}", tmp_path / "prepared", validation_fraction=0)
    assert (prepared.name, prepared.title) == ("cifar10_jpeg", "CIFAR-10 (JPEG)")
    assert prepared.augmentation == data.Augmentation("pad_crop", padding=4, flip=True)


@pytest.mark.parametrize("damage", ["truncated", "text"])
def test_a_broken_file_is_named(tmp_path, make_tree, damage):
    root = make_tree(size=(40, 40))
    path = root / "train" / "dog" / "0002.jpg"
    path.write_bytes(path.read_bytes()[:800] if damage == "truncated" else b"no image")
    with pytest.raises(ValueError, match=r"tree/train/dog/0002\.jpg"):
        data.prepare(f"folder:{root}", tmp_path / "prepared")


def test_unequal_sizes_in_a_folder_are_named(tmp_path, make_tree):
    root = make_tree()
    Image.new("RGB", (9, 8)).save(root / "train" / "cat" / "0001.jpg")
    with pytest.raises(ValueError, match=r"8×8 .* 8×9 .*train/cat/0001\.jpg"):
        data.prepare(f"folder:{root}", tmp_path / "prepared")
    resized = data.prepare(f"folder:{root}", tmp_path / "prepared", resize=16)
    assert resized.image_shape == (16, 16, 3)


@pytest.mark.parametrize("storage", ["arrays", "records"])
def test_a_full_disk_leaves_the_old_data_intact(tmp_path, make_tree, small_disk, storage):
    root, folder = make_tree(per_class=20), tmp_path / "results" / "prepared"
    before = data.prepare(f"folder:{root}", folder, storage=storage).checksum
    with small_disk(4096), pytest.raises(OSError, match="too large") as raised:
        data.prepare(f"folder:{root}", folder, storage=storage, seed=1)
    assert raised.value.errno == errno.EFBIG
    assert data.load(folder).checksum == before
    assert [path.name for path in folder.parent.iterdir()] == ["prepared"]


@pytest.fixture
def builder(tmp_path, monkeypatch):
    """Of a set whose one host is this machine, at a port where nobody answers."""
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    data_dir, urls = (
        tmp_path / "tfds" / "shapes" / "1.0.0",
        {f"http://localhost:{port}/a.zip": None},
    )
    return SimpleNamespace(data_dir=str(data_dir), builder_config=None, url_infos=urls, port=port)


def test_a_set_that_cannot_be_downloaded_is_refused_at_once(builder, tmp_path):
    with pytest.raises(ValueError, match=r"tfds:shapes.* localhost"):
        sources._require_reachable(builder, "shapes")
    (tmp_path / "tfds" / "downloads").mkdir(parents=True)
    (tmp_path / "tfds" / "downloads" / "a.zip").write_text("downloaded before")
    sources._require_reachable(builder, "shapes")


def test_a_set_whose_host_answers_or_that_is_there_is_not(builder):
    with socket.create_server(("localhost", builder.port)):
        sources._require_reachable(builder, "shapes")
    Path(builder.data_dir).mkdir(parents=True)
    sources._require_reachable(builder, "shapes")
