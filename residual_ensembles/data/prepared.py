"""The prepared format, in which every study reads its images.

A folder with, for each split, its labels as integers and its images: either one uint8 array or one
ArrayRecord file of encoded images; `meta.json`, which says what they are and where they came
from; and `manifest.json`, which says what is in these files and is written last. Reading it needs
no TensorFlow, and any position can be reached at once.
"""

import json
import os
from pathlib import Path

import numpy as np

from residual_ensembles import parameters
from residual_ensembles.arguments import checked, require_choice, require_path
from residual_ensembles.data.augmentation import Augmentation
from residual_ensembles.data.split import ArraySplit, RecordSplit, Split, View
from residual_ensembles.storage import files

FORMAT = 2  # raised when a change makes older readers wrong
META = "meta.json"
SPLITS = ("train", "validation", "test")
STORAGES = parameters.STORAGES[1:]  # "auto" leaves the choice to the size


def labels_path(folder: Path, split: str) -> Path:
    """Returns the file of the labels of a split."""
    return folder / f"{split}_labels.npy"


def images_path(folder: Path, split: str, storage: str) -> Path:
    """Returns the file of the images of a split."""
    return folder / f"{split}_images.{'npy' if storage == 'arrays' else 'array_record'}"


class Prepared:
    """A prepared data set.

    Attributes:
        folder: Folder of its files.
        name: Short name, for files, such as `cifar10`.
        title: Display name, such as `CIFAR-10`.
        class_names: Name of each class, in the order of the labels.
        image_shape: `(height, width, channels)` of what a network sees.
        mean: Mean over the train split per channel, in units of 0..255.
        std: Standard deviation over the train split per channel, in units of 0..255.
        checksum: SHA-256 of images and labels, hexadecimal.
        augmentation: Augmentation of training images.
        description: Where the images came from: source, versions, counts.
    """

    def __init__(self, folder: Path, meta: dict):
        self.folder = folder
        self.name: str = meta["name"]
        self.title: str = meta["title"]
        self.class_names: list[str] = meta["class_names"]
        self.image_shape: tuple[int, int, int] = tuple(meta["image_shape"])
        self.mean: list[float] = meta["mean"]
        self.std: list[float] = meta["std"]
        self.checksum: str = meta["checksum"]
        self.augmentation = Augmentation(**meta["augmentation"])
        self.description: dict = meta["description"]
        view = View(self.image_shape, meta["shorter_side"], self.augmentation, tuple(self.mean))
        self._splits = {split: load_split(folder, split, meta["storage"], view) for split in SPLITS}
        if problem := self._problem():
            raise ValueError(f"Received {folder} with {problem}; prepare the data again.")

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def split(self, name: str) -> Split:
        """Returns the split `train`, `validation` or `test`.

        Raises:
            TypeError: The name is not text.
            ValueError: There is no such split.
        """
        return self._splits[require_choice("name", name, SPLITS)]

    def _problem(self) -> str | None:
        """Returns why the data cannot be used, whoever wrote it, or None."""
        channels = self.image_shape[-1]
        for name, values in {"mean": self.mean, "std": self.std}.items():
            least = 0 if name == "mean" else np.finfo(np.float32).tiny
            if len(values) != channels or not all(least <= value <= 255 for value in values):
                return f"{name}={values}, expected {channels} of {least:.3g}..255"
        for name, split in self._splits.items():
            labels = split.labels
            if labels.ndim != 1 or labels.dtype.kind not in "iu":
                return f"{name} labels of {labels.dtype} {labels.shape}, expected integers (n,)"
            if not len(labels) and name != "validation":
                return f"no image in its {name} split, expected some"
            if split.array is not None and split.array.dtype != np.uint8:
                return f"{name} images of {split.array.dtype}, expected uint8"
            outside = labels[(labels < 0) | (labels >= self.n_classes)]
            if len(outside):
                return f"{name} label {outside[0]}, expected 0..{self.n_classes - 1}"
        return None


@checked
def load(folder: str | os.PathLike) -> Prepared:
    """Opens a prepared data set after checking that its files are what was written.

    Needs no TensorFlow. Checking CIFAR-10 takes 0.2 seconds (`files.read_manifest`).

    Args:
        folder: Folder that `prepare` wrote.

    Returns:
        The data set; images are read when they are asked for.

    Raises:
        TypeError: `folder` is not a path.
        ValueError: The folder holds no prepared data, data of a newer format, or damaged files.

    Example:
        >>> from residual_ensembles import data
        >>> written = data.prepare("digits", folder)
        >>> load(folder).checksum == written.checksum
        True
    """
    require_path("folder", folder)
    folder = Path(folder)
    try:
        files.require_file(folder / META)
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        format_ = meta["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"Received {folder}, which holds no prepared data ({error}); expected a folder that "
            "`python -m pipelines.prepare` wrote."
        ) from None
    if format_ != FORMAT:
        raise ValueError(
            f"Received prepared data of format {format_} in {folder}; this version reads format "
            f"{FORMAT}. Prepare the data again, or update the program if the format is newer."
        )
    try:
        files.read_manifest(folder)
    except FileNotFoundError:
        raise ValueError(
            f"Received {folder} without {files.MANIFEST}, which is written last; prepare the data "
            "again."
        ) from None
    except ValueError as error:
        raise ValueError(
            f"Received prepared data of which {error}; prepare the data again."
        ) from None
    try:
        return Prepared(folder, meta)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(
            f"Received {folder} with a damaged {META} ({error}); prepare the data again."
        ) from None


def load_split(folder: Path, split: str, storage: str, view: View) -> Split:
    """Opens one split of prepared data; `storage` is one of `STORAGES`.

    Raises:
        ValueError: A file is missing or damaged.
    """
    path = images_path(folder, split, storage)
    try:
        labels = np.load(labels_path(folder, split))
        if storage == "records":
            return RecordSplit(path, labels, view)
        return ArraySplit(np.load(path, mmap_mode="r"), labels, view)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(
            f"Received {folder} with a damaged {split} split ({error}); prepare the data again."
        ) from None
