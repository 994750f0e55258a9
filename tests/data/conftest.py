"""Sources small enough for a test."""

import contextlib
import importlib.util
import io
import resource
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

if importlib.util.find_spec("tensorflow") is None:  # preparing needs it, reading does not
    collect_ignore = ["test_digits.py", "test_sources.py"]


def encoded(array, format_="PNG"):
    """The image of an array, uint8, (height, width, channels), as JPEG or PNG bytes."""
    file = io.BytesIO()
    Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(file, format_)
    return file.getvalue()


class ListSource:
    """What `sources.Source` is to the rest, made of lists of (array, label)."""

    name, title, flip, verified = "list", "A list", True, True

    def __init__(self, train, test, n_classes=3, format_="PNG"):
        self._splits = {"train": train, "test": test}
        self._format = format_
        self.class_names = [f"class {i}" for i in range(n_classes)]
        self.channels = train[0][0].shape[-1]
        self.splits = {"train": "train", "test": "test"}
        self.description = {"source": "list"}

    def batches(self, split, size=7):
        rows = self._splits[split]
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]
            yield SimpleNamespace(
                images=[
                    image if isinstance(image, bytes) else encoded(image, self._format)
                    for image, _ in chunk
                ],
                labels=np.array([label for _, label in chunk], np.int32),
                names=[f"{split} {start + i}" for i in range(len(chunk))],
            )


def random_rows(n, height, width, channels=3, n_classes=3, seed=0):
    """Random images, (array, label), with the classes in turn."""
    random = np.random.default_rng(seed)
    return [
        (random.integers(0, 256, (height, width, channels)).astype(np.uint8), i % n_classes)
        for i in range(n)
    ]


@pytest.fixture
def encode():
    """The function `encoded`."""
    return encoded


@pytest.fixture
def make_rows():
    """The function `random_rows`."""
    return random_rows


@pytest.fixture
def make_source():
    """The class `ListSource`."""
    return ListSource


@pytest.fixture
def write(tmp_path):
    """Writes a source with `write_prepared` and opens the result."""
    from residual_ensembles import data
    from residual_ensembles.data.preparation import write_prepared
    from residual_ensembles.parameters import Data

    def write_and_load(source, name="prepared", **options):
        folder = tmp_path / name
        folder.mkdir()
        augmentation = options.pop("augmentation", None)
        write_prepared(source, folder, Data(**options), augmentation)
        return data.load(folder)

    return write_and_load


@pytest.fixture
def make_tree(tmp_path):
    """Writes a tree train|test/<class>/*.jpg of random images and returns its root."""

    def make(classes=("cat", "dog"), per_class=4, size=(8, 8), name="tree", suffix="jpg"):
        random = np.random.default_rng(0)
        root = tmp_path / name
        for split in ("train", "test"):
            for class_ in classes:
                folder = root / split / class_
                folder.mkdir(parents=True)
                for i in range(per_class):
                    array = random.integers(0, 256, (*size, 3)).astype(np.uint8)
                    Image.fromarray(array).save(folder / f"{i:04}.{suffix}")
        return root

    return make


@pytest.fixture
def small_disk():
    """A context in which no file can grow beyond so many bytes, as on a full disk."""

    @contextlib.contextmanager
    def limited(n_bytes):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited
