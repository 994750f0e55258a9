"""Preparation of data: from any source to the prepared format, once."""

import dataclasses
import hashlib
import importlib.util
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from residual_ensembles.arguments import (
    checked,
    require_choice,
    require_instance,
    require_integer,
    require_number,
    require_path,
)
from residual_ensembles.backend import extras
from residual_ensembles.data import folder as folders
from residual_ensembles.data import prepared
from residual_ensembles.data.atomic_folder import atomic_folder
from residual_ensembles.data.augmentation import Augmentation, default_augmentation
from residual_ensembles.data.scan import Scan, scan
from residual_ensembles.data.split import SHORTER_SIDE_PER_CROP, Split, View
from residual_ensembles.data.writers import write_splits
from residual_ensembles.parameters import MAX_SEED, MAX_SIDE, STORAGES, DataParameters
from residual_ensembles.statistics.randomness import generator, stratified_draw
from residual_ensembles.storage import files

ARRAY_BYTES = 2 * 1024**3  # the largest set, decoded, that "auto" keeps as arrays
STATISTICS_IMAGES = 50_000  # from which the mean of a larger set is estimated
_CHUNK = 512  # images that are decoded at a time


@checked
def prepare(
    source: str,
    folder: str | os.PathLike,
    *,
    validation_fraction: float = 0.1,
    seed: int = 0,
    resize: int | None = None,
    title: str | None = None,
    augmentation: Augmentation | None = None,
    limit_train: int | None = None,
    limit_test: int | None = None,
    storage: str = "auto",
) -> prepared.Prepared:
    """Writes a source of images in the prepared format.

    Args:
        source: `digits`, `tfds:NAME` or `folder:PATH`; see `sources.open_source`.
        folder: Folder to write. Prepared data in it is replaced once the new is complete.
        validation_fraction: Share of the train images that becomes the validation split, in
            [0, 1); drawn by class. 0 leaves that split empty, as in the paper's schedule.
        seed: Seed of the validation split and of the limits.
        resize: Height and width of the prepared images, in pixels, by a resize of the shorter side
            and a crop of the center. None or 0: they keep their size, and must have the same.
        title: Display name of the data; None for the source's own.
        augmentation: Augmentation of training; None for the one that fits source and size.
        limit_train: Number of train and validation images, drawn by class; None or 0 for all.
        limit_test: Number of test images, drawn by class; None or 0 for all.
        storage: `arrays`, decoded, for images that fit in memory; `records`, as the source has
            them, read one by one, so that random resized crops see the full image; `auto`,
            arrays up to `ARRAY_BYTES`.

    Returns:
        The prepared data, opened.

    Example:
        >>> prepared = prepare("digits", folder)
        >>> prepared.title, prepared.split("test").images([0, 3]).shape
        ('Digits (scikit-learn)', (2, 8, 8, 1))

    Raises:
        TypeError: An argument is of the wrong kind, such as 1.5 where an integer is meant.
        ValueError: The source or an argument cannot be used.
        OSError: The folder cannot be written, or the disk is full.
    """
    _check(validation_fraction, seed, resize, limit_train, limit_test, storage)
    require_instance("source", source, str)
    require_path("folder", folder)
    if title is not None:
        require_instance("title", title, str)
    if augmentation is not None:
        require_instance("augmentation", augmentation, Augmentation)
    open_source = _import_sources().open_source
    folder = Path(folder)
    settings = DataParameters.model_construct(
        title=title or "",
        validation_fraction=validation_fraction,
        seed=seed,
        resize=resize or 0,
        limit_train=limit_train or 0,
        limit_test=limit_test or 0,
        storage=storage,
    )
    with atomic_folder(folder, prepared.META) as partial, open_source(source) as opened:
        write_prepared(opened, partial, settings, augmentation)
    return prepared.load(folder)


@checked
def prepared_once(
    source: str, data_dir: str | os.PathLike, validation_fraction: float
) -> prepared.Prepared:
    """Returns the prepared data of a source, which is prepared unless that was done before.

    Args:
        source: `digits`, `tfds:NAME` or `folder:PATH`, as in `prepare`.
        data_dir: Folder with one folder for each prepared source. Its name has a digest of the
            source and, for folder:PATH, of the sizes and times of its files.
        validation_fraction: Share of the train images that becomes the validation split.

    Raises:
        TypeError: An argument is of the wrong kind.
        ValueError: The source or an argument cannot be used.
        OSError: The folder cannot be written, or the disk is full.

    Example:
        >>> prepared = prepared_once("digits", folder, validation_fraction=0.1)
        >>> len(prepared.split("train")), len(prepared.split("validation"))
        (1293, 144)
    """
    require_instance("source", source, str)
    require_path("data_dir", data_dir)
    require_number("validation_fraction", validation_fraction)
    kept = Path(data_dir) / _folder_name(source, validation_fraction)
    if kept.exists():
        try:
            return prepared.load(kept)
        except ValueError as error:
            print(f"{error} This is done now.", flush=True)
    return prepare(source, kept, validation_fraction=validation_fraction, seed=0)


def write_prepared(
    source, folder: Path, settings: DataParameters, augmentation: Augmentation | None = None
) -> None:
    """Writes an open source into an empty folder.

    Args:
        source: Any object with the attributes and the `batches` of `sources.Source`.
        folder: An empty folder.
        settings: Splits, size and storage of the images.
        augmentation: Augmentation of training; None for the one that fits source and size.

    Raises:
        ValueError: The source's images cannot be used as asked.
        OSError: The disk is full.
    """
    if len(source.class_names) < 2:
        raise ValueError(
            f"Received {source.description['source']} with {len(source.class_names)} class; "
            "expected two or more."
        )
    scans = {split: scan(source, split) for split in ("train", "test")}
    converted = scans["train"].converted + scans["test"].converted
    if converted:
        counts = ", ".join(f"{n} {kind}" for kind, n in converted.items())
        print(f"images that are converted: {counts}", flush=True)
    positions = _split_positions(scans, settings)
    shape = (*_image_size(scans, settings.resize), source.channels)
    augmentation = augmentation or default_augmentation(*shape[:2], flip=source.flip)
    shorter_side = settings.resize or None
    if shorter_side and augmentation.kind == "random_resized_crop":
        shorter_side = round(shorter_side * SHORTER_SIDE_PER_CROP)
    view = View(shape, shorter_side, augmentation, (0.0,) * shape[-1])
    storage = settings.storage
    if storage == "auto":
        n_bytes = sum(map(len, positions.values())) * math.prod(shape)
        storage = "arrays" if n_bytes <= ARRAY_BYTES else "records"
    write_splits(source, folder, scans, positions, view, storage)
    if storage == "arrays":
        view = dataclasses.replace(view, shorter_side=None)  # as they were written
    meta = _meta(source, folder, view, storage, settings)
    files.write_json(folder / prepared.META, meta)
    files.write_manifest(folder, [path.name for path in folder.iterdir()])


def _import_sources():
    """Imports the sources, and with them TensorFlow, which reading prepared data does without."""
    if importlib.util.find_spec("tensorflow") is None:
        raise ValueError(
            "Received a source to prepare in an environment without TensorFlow; expected one with "
            "it. Prepare the data there (`make install` makes it): the result is read anywhere."
        )
    extras.require("data", "sklearn", "tensorflow_datasets")
    from residual_ensembles.data import sources

    return sources


def _check(validation_fraction, seed, resize, limit_train, limit_test, storage) -> None:
    if not 0 <= require_number("validation_fraction", validation_fraction) < 1:
        raise ValueError(
            f"Received validation_fraction={validation_fraction}, expected 0 or more, less than 1."
        )
    require_integer("seed", seed, 0, MAX_SEED)
    counts = {"resize": (resize, MAX_SIDE), "limit_train": (limit_train, None)}
    for name, (count, maximum) in (counts | {"limit_test": (limit_test, None)}).items():
        if count is not None:
            require_integer(name, count, 0, maximum)
    require_choice("storage", storage, STORAGES)


def _image_size(scans: dict[str, Scan], resize: int) -> tuple[int, int]:
    if resize:
        return resize, resize
    sizes = scans["test"].sizes | scans["train"].sizes
    if len(sizes) > 1:
        (size, name), (other_size, other_name) = list(sizes.items())[:2]
        raise ValueError(
            f"Received images of unequal size, {size[0]}×{size[1]} ({name}) and "
            f"{other_size[0]}×{other_size[1]} ({other_name}); expected one size. Say which with "
            "--resize, in pixels."
        )
    return next(iter(sizes))


def _split_positions(scans: dict[str, Scan], settings: DataParameters) -> dict[str, np.ndarray]:
    """Returns the positions in the source of the images of each split."""
    seed, fraction = settings.seed, settings.validation_fraction
    train = _limited(scans["train"].labels, settings.limit_train, seed, "train")
    n_validation = round(fraction * len(train))
    if n_validation == len(train) or (fraction > 0 and n_validation == 0):
        raise ValueError(
            f"Received validation_fraction {fraction} of {len(train)} images, which "
            "leaves a split empty; expected some for both, or 0."
        )
    drawn = stratified_draw(
        scans["train"].labels[train], n_validation, generator(seed, "validation")
    )
    return {
        "train": np.delete(train, drawn),
        "validation": train[drawn],
        "test": _limited(scans["test"].labels, settings.limit_test, seed, "test"),
    }


def _limited(labels: np.ndarray, limit: int, seed: int, split: str) -> np.ndarray:
    if not limit or limit >= len(labels):
        return np.arange(len(labels))
    return stratified_draw(labels, limit, generator(seed, "limit", split))


def _meta(source, folder: Path, view: View, storage: str, settings: DataParameters) -> dict:
    """Returns the content of meta.json, from the written files."""
    splits = {split: prepared.load_split(folder, split, storage, view) for split in prepared.SPLITS}
    mean, std = _statistics(splits["train"], settings.seed)
    view = dataclasses.replace(view, mean=tuple(mean))
    return {
        "format": prepared.FORMAT,
        "name": source.name,
        "title": settings.title or source.title,
        "class_names": source.class_names,
        "image_shape": view.image_shape,
        "shorter_side": view.shorter_side,
        "storage": storage,
        "mean": mean,
        "std": std,
        "checksum": _checksum(splits, view, std),
        "augmentation": dataclasses.asdict(view.augmentation),
        "description": {
            **source.description,
            "counts": {split: len(splits[split]) for split in prepared.SPLITS},
            "validation_fraction": settings.validation_fraction,
            "seed": settings.seed,
        },
    }


def _statistics(train: Split, seed: int) -> tuple[list[float], list[float]]:
    """Returns mean and standard deviation per channel; the sums are integers, thus exact."""
    positions = np.arange(len(train))
    if train.array is None and len(train) > STATISTICS_IMAGES:
        random = generator(seed, "statistics")
        positions = np.sort(random.choice(positions, STATISTICS_IMAGES, replace=False))
    n, total, squares = 0, np.zeros(1), np.zeros(1)
    for chunk in _chunks(positions):
        pixels = train.images(chunk).astype(np.float64)
        n += pixels[..., 0].size
        total = total + pixels.sum(axis=(0, 1, 2))
        squares = squares + np.square(pixels).sum(axis=(0, 1, 2))
    mean = total / n
    std = np.sqrt(squares / n - np.square(mean))
    return mean.tolist(), np.maximum(std, 1.0).tolist()  # a channel of one color divides by 1


def _checksum(splits: dict[str, Split], view: View, std: list[float]) -> str:
    """Returns the SHA-256 of all that training depends on: images, labels, and view."""
    digest = hashlib.sha256(repr((view, std)).encode())
    for split in splits.values():
        digest.update(split.labels.tobytes())
        for chunk in _chunks(np.arange(len(split))):
            for stored in split.stored(chunk):
                digest.update(stored)
    return digest.hexdigest()


def _chunks(positions: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(positions), _CHUNK):
        yield positions[start : start + _CHUNK]


def _folder_name(source: str, validation_fraction: float) -> str:
    """Returns the end of the source's name, and a digest of all that determines the result."""
    digest = hashlib.sha256(repr((source, validation_fraction)).encode())
    kind, _, path = source.partition(":")
    if kind == "folder":
        root = Path(path).expanduser().resolve()
        folders.check_tree(root)
        for entry in _listing(root):
            digest.update(repr(entry).encode())
    end = re.sub(r"[^a-z0-9]+", "-", source.lower())[-40:].strip("-")
    return f"{end}-{digest.hexdigest()[:16]}"


def _listing(root: Path) -> Iterator[tuple[str, int, int]]:
    """Yields path, size and time of every file, which change when images do."""
    yield str(root), 0, 0
    for parent, subfolders, names in os.walk(root, followlinks=True):
        subfolders.sort()
        for name in sorted(names):
            path = os.path.join(parent, name)
            result = os.stat(path)
            yield path, result.st_size, result.st_mtime_ns
