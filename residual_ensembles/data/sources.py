"""Sources of images; every source is a TensorFlow dataset.

Beside the backend, this is the only file that imports TensorFlow; `prepare` imports it when it is
called.
"""

import contextlib
import dataclasses
import difflib
import importlib.metadata
import io
import itertools
import math
import re
import socket
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from tqdm import tqdm

from residual_ensembles.arguments import shown
from residual_ensembles.data import folder

_BATCH = 256  # images read at a time; a few megabytes even at ImageNet's size
_PORTS = {"http": 80, "https": 443}
_HOSTS_TRIED, _SECONDS_TO_ANSWER = 3, 5.0
_FILE = "image/filename"  # ImageFolder's name for where an image is

# Display names; the title of any other set is its name.
TITLES = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "digits": "Digits (scikit-learn)",
    "fashion_mnist": "Fashion-MNIST",
    "imagenet2012": "ImageNet (ILSVRC 2012)",
    "mnist": "MNIST",
    "svhn_cropped": "SVHN",
}
# Mirrored, these would be something else.
NOT_FLIPPED = ("digits", "mnist", "emnist", "kmnist", "qmnist", "svhn_cropped", "omniglot")


@dataclasses.dataclass(frozen=True)
class Batch:
    """Images in the order of the source.

    Attributes:
        images: JPEG or PNG bytes of each.
        labels: Class of each, int32, `(batch,)`; −1 for none.
        names: Name of each, for errors.
    """

    images: list[bytes]
    labels: np.ndarray
    names: list[str]


class Source:
    """A TensorFlow dataset of images, each with one label.

    Attributes:
        name: Short name, for files.
        title: Display name.
        class_names: Name of each class, in the order of the labels.
        channels: 1 for gray images, 3 for color.
        flip: Whether a mirrored image is still of its class.
        splits: The dataset's split that each of `train` and `test` is read from.
        verified: Whether the images are known to be intact.
        description: Source, its version and splits.
    """

    def __init__(self, builder, specification: str, name: str, title: str, *, verified: bool):
        self._builder = builder
        self._image, self._label = _keys(builder, specification)
        self.name = name
        self.title = title
        self.class_names: list[str] = list(builder.info.features[self._label].names or [])
        self.channels = 1 if builder.info.features[self._image].shape[-1] == 1 else 3
        self.flip = builder.name not in NOT_FLIPPED
        self.verified = verified
        self.splits = {"train": "train", "test": self._test_split(specification)}
        self.description = {
            "source": specification,
            "source_version": str(builder.info.version),
            "splits": self.splits,
            "versions": {
                library: importlib.metadata.version(library)
                for library in ("tensorflow-datasets", "pillow", "numpy", "scikit-learn")
            },
        }

    def batches(self, split: str) -> Iterator[Batch]:
        """Reads the `train` or `test` split once, always in the same order, without decoding."""
        n_batches = math.ceil(self._builder.info.splits[self.splits[split]].num_examples / _BATCH)
        batches = self._batches(self.splits[split])
        return iter(tqdm(batches, f"reading {split}", n_batches, disable=None))  # on a terminal

    def _batches(self, split: str) -> Iterator[Batch]:
        names = (f"image {i} of {split}" for i in itertools.count())
        for rows in self._rows(split):
            n = len(rows[self._label])
            files = rows.get(_FILE)
            yield Batch(
                images=list(rows[self._image]),
                labels=np.asarray(rows[self._label], dtype=np.int32),
                names=list(itertools.islice(names, n)) if files is None else _texts(files),
            )

    def _rows(self, split: str) -> Iterator[dict]:
        """Yields batches, as columns."""
        keys = {self._image, self._label} | (set() if self.verified else {_FILE})
        decoders = {self._image: tfds.decode.SkipDecoding()}
        if self._builder.info.file_format == tfds.core.FileFormat.ARRAY_RECORD:
            data = self._builder.as_data_source(split=split, decoders=decoders)
            for start in range(0, len(data), _BATCH):
                rows = data.__getitems__(list(range(start, min(start + _BATCH, len(data)))))
                yield {key: [row[key] for row in rows] for key in keys}
        else:
            data = self._builder.as_dataset(split=split, decoders=decoders)
            data = data.map(lambda row: {key: row[key] for key in keys}).batch(_BATCH)
            yield from tfds.as_numpy(data)

    def _test_split(self, specification: str) -> str:
        """Returns the first test split with published labels (ImageNet's `test` has none)."""
        splits = self._builder.info.splits
        if "train" in splits:
            for split in folder.TEST_SPLITS:
                first = next(self._batches(split), None) if split in splits else None
                if first is not None and first.labels[0] >= 0:
                    return split
        raise ValueError(
            f"Received {specification} with splits {', '.join(splits) or 'none'}; expected 'train' "
            "and one of 'test' and 'validation' with labels."
        )


@contextlib.contextmanager
def open_source(specification: str) -> Iterator[Source]:
    """Opens a source of images for reading.

    Args:
        specification: `digits`; `tfds:NAME`, any image classification set of TensorFlow Datasets
            (downloaded to where `TFDS_DATA_DIR` says); or `folder:PATH`, a tree
            `train|test/<class>/*.jpg`.

    Yields:
        The source.

    Raises:
        ValueError: There is no such source, or it is not a set of images with one label each.
    """
    kind, _, rest = specification.partition(":")
    tfds.disable_progress_bar()
    if specification == "digits":
        with tempfile.TemporaryDirectory() as data_dir:
            yield _digits(data_dir)
    elif kind == "tfds" and rest:
        yield _tfds(rest)
    elif kind == "folder" and rest:
        yield _folder(Path(rest).expanduser())
    else:
        raise ValueError(
            f"Received source {shown(specification)}; expected 'digits', 'tfds:NAME' or "
            "'folder:PATH'."
        )


def _digits(data_dir: str) -> Source:
    from residual_ensembles.data.digits import Digits  # registers itself when it is imported

    builder = Digits(data_dir=data_dir, file_format="array_record")
    with contextlib.redirect_stdout(io.StringIO()):
        builder.download_and_prepare()
    return Source(builder, "digits", "digits", TITLES["digits"], verified=True)


def _folder(root: Path) -> Source:
    folder.check_tree(root)
    builder = tfds.folder_dataset.ImageFolder(str(root))
    name, title = _slug(root.resolve().name), root.resolve().name
    if folder.is_cifar10_jpeg(root):
        name, title = "cifar10_jpeg", "CIFAR-10 (JPEG)"
    return Source(builder, f"folder:{root.resolve().name}", name, title, verified=False)


def _tfds(name: str) -> Source:
    _require_known(name)
    try:
        builder = tfds.builder(name)
    except Exception as error:  # each set's own program raises what it likes, here and below
        raise ValueError(f"Received tfds:{name}; {error}") from None
    _keys(builder, f"tfds:{name}")  # before anything is downloaded
    _require_reachable(builder, name)
    try:
        builder.download_and_prepare()
    except Exception as error:
        if isinstance(error, OSError) and error.errno:
            raise  # the disk is full, or the folder cannot be written
        raise ValueError(
            f"TensorFlow Datasets cannot make tfds:{name}: {error} Expected a network to download "
            "from, or the set made before, in the folder that TFDS_DATA_DIR names."
        ) from None
    plain = name.split(":")[0]  # without a version
    return Source(builder, f"tfds:{name}", _slug(plain), TITLES.get(plain, plain), verified=True)


def _require_known(name: str) -> None:
    """Refuses an unknown name here, as TensorFlow Datasets would ask the network for it first."""
    known = tfds.list_builders(with_community_datasets=False)
    own_name = re.split("[/:]", name)[0]
    if own_name not in known:
        close = difflib.get_close_matches(own_name, known, n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else "See `tfds.list_builders()`."
        raise ValueError(
            f"Received tfds:{name}; expected a name that TensorFlow Datasets knows. {hint}"
        )


def _require_reachable(builder, name: str) -> None:
    """Refuses a set that would have to be downloaded where none of its hosts answers.

    TensorFlow Datasets would try for minutes, with a warning each time. What it has downloaded
    before it does not download again; what a proxy reaches is not known here.
    """
    root = Path(builder.data_dir).parents[2 if builder.builder_config else 1]
    urls = [urllib.parse.urlsplit(url) for url in builder.url_infos or ()]
    hosts = {(url.hostname, url.port or _PORTS[url.scheme]) for url in urls if url.scheme in _PORTS}
    downloaded = root / "downloads"
    if (
        not hosts
        or Path(builder.data_dir).exists()
        or (downloaded.is_dir() and any(downloaded.iterdir()))
        or urllib.request.getproxies()
    ):
        return
    tried = []
    for address in sorted(hosts)[:_HOSTS_TRIED]:
        try:
            socket.create_connection(address, _SECONDS_TO_ANSWER).close()
            return
        except OSError as error:
            tried.append(f"{address[0]} ({error.strerror or error})")
    raise ValueError(
        f"Received tfds:{name}, which is not in {root} and cannot be downloaded from "
        f"{', '.join(tried)}; expected a network, or the set made before, in the folder that "
        "TFDS_DATA_DIR names."
    )


def _keys(builder, specification: str) -> tuple[str, str]:
    """Returns the names of the image and of its label among the features."""
    features = builder.info.features
    keys = builder.info.supervised_keys or ("image", "label")
    kinds = (tfds.features.Image, tfds.features.ClassLabel)
    if len(keys) == 2 and all(
        isinstance(key, str) and key in features and isinstance(features[key], kind)
        for key, kind in zip(keys, kinds, strict=True)
    ):
        dtype = np.dtype(features[keys[0]].np_dtype)
        if dtype != np.uint8:
            raise ValueError(f"Received {specification} with images of {dtype}; expected uint8.")
        return keys
    raise ValueError(
        f"Received {specification}, whose examples are {', '.join(features)}; expected an image "
        "classification set, one image and one label each, such as tfds:cifar10."
    )


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "images"


def _texts(values) -> list[str]:
    return [value.decode(errors="replace") for value in values]
