"""Data small enough for a test."""

import contextlib
import importlib.util
import resource

import numpy as np
import pytest
from PIL import Image

if importlib.util.find_spec("tensorflow") is None:  # preparing needs it, reading does not
    collect_ignore = ["test_digits.py", "test_sources.py"]


@pytest.fixture
def write(tmp_path):
    """Writes a source with `write_prepared` and opens the result."""
    from residual_ensembles import data
    from residual_ensembles.data.preparation import write_prepared
    from residual_ensembles.parameters import DataParameters

    def write_and_load(source, name="prepared", **options):
        folder = tmp_path / name
        folder.mkdir()
        augmentation = options.pop("augmentation", None)
        write_prepared(source, folder, DataParameters(**options), augmentation)
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
