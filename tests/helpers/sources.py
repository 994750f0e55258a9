"""Sources of images small enough for a test."""

import io
from types import SimpleNamespace

import numpy as np
from PIL import Image


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
