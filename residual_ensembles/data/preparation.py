"""From any source to the prepared format."""

import dataclasses
import hashlib
import importlib.util
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from residual_ensembles.arguments import (
    require_choice,
    require_instance,
    require_number,
    require_path,
    require_whole_number,
)
from residual_ensembles.backend import extras
from residual_ensembles.data import prepared
from residual_ensembles.data.atomic_folder import atomic_folder
from residual_ensembles.data.augmentation import Augmentation, default_augmentation
from residual_ensembles.data.scan import Scan, scan
from residual_ensembles.data.split import Split
from residual_ensembles.data.view import SHORTER_SIDE_PER_CROP, View
from residual_ensembles.data.writers import ArrayWriter, RecordWriter, save_array
from residual_ensembles.parameters import MAX_SEED, MAX_SIDE, STORAGES
from residual_ensembles.statistics.randomness import generator, stratified_draw
from residual_ensembles.storage import files

ARRAY_BYTES = 2 * 1024**3  # the largest set, decoded, that "auto" keeps as arrays
STATISTICS_IMAGES = 50_000  # how many stand for the mean of a set that is not kept so
_CHUNK = 512  # images that are decoded together


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
    """Brings a source into the prepared format.

    Args:
        source: `digits`, `tfds:NAME` or `folder:PATH`; see `sources.open_source`.
        folder: Where to write. Prepared data that is there is replaced once the new is whole.
        validation_fraction: Share of the train images that becomes the validation split, in
            [0, 1); drawn by class. 0 leaves that split empty, as in the paper's schedule.
        seed: Seed of the validation split and of the limits.
        resize: Height and width that images are brought to, in pixels, by their shorter side and
            a crop of the center. None or 0: they keep their size, and must have the same.
        title: As people call the data; None for the source's own.
        augmentation: What training varies; None for what fits the source and the size.
        limit_train: Train and validation images together, drawn by class; None or 0 for all.
        limit_test: Test images, drawn by class; None or 0 for all.
        storage: `arrays`, decoded, for images that fit in memory; `records`, as the source has
            them, read one by one, so that random resized crops see the whole image; `auto`,
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
    with atomic_folder(folder, prepared.META) as partial, open_source(source) as opened:
        write_prepared(
            opened,
            partial,
            validation_fraction=validation_fraction,
            seed=seed,
            resize=resize,
            title=title,
            augmentation=augmentation,
            limit_train=limit_train,
            limit_test=limit_test,
            storage=storage,
        )
    return prepared.load(folder)


def write_prepared(
    source,
    folder: Path,
    *,
    validation_fraction: float = 0.1,
    seed: int = 0,
    resize: int | None = None,
    title: str | None = None,
    augmentation: Augmentation | None = None,
    limit_train: int | None = None,
    limit_test: int | None = None,
    storage: str = "auto",
) -> None:
    """Writes a source that is open into an empty folder; the rest is as in `prepare`.

    Args:
        source: Whatever has the attributes and the `batches` of `sources.Source`.
        folder: An empty folder.
        validation_fraction: As in `prepare`.
        seed: As in `prepare`.
        resize: As in `prepare`.
        title: As in `prepare`.
        augmentation: As in `prepare`.
        limit_train: As in `prepare`.
        limit_test: As in `prepare`.
        storage: As in `prepare`.

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
    positions = _cut(scans, validation_fraction, seed, limit_train, limit_test)
    shape = (*_image_size(scans, resize), source.channels)
    augmentation = augmentation or default_augmentation(*shape[:2], flip=source.flip)
    view = View(shape, _shorter_side(resize, augmentation), augmentation, (0.0,) * shape[-1])
    storage = _storage(storage, sum(map(len, positions.values())), shape)
    _write(source, folder, scans, positions, view, storage)
    if storage == "arrays":
        view = dataclasses.replace(view, shorter_side=None)  # as they were written
    meta = _meta(source, folder, view, storage, seed)
    meta["title"] = title or source.title
    meta["description"] |= {"validation_fraction": validation_fraction, "seed": seed}
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
    require_whole_number("seed", seed, 0, MAX_SEED)
    counts = {"resize": (resize, MAX_SIDE), "limit_train": (limit_train, None)}
    for name, (count, most) in (counts | {"limit_test": (limit_test, None)}).items():
        if count is not None:
            require_whole_number(name, count, 0, most)
    require_choice("storage", storage, STORAGES)


def _image_size(scans: dict[str, Scan], resize: int | None) -> tuple[int, int]:
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


def _storage(storage: str, n_images: int, shape: tuple[int, int, int]) -> str:
    if storage != "auto":
        return storage
    return "arrays" if n_images * math.prod(shape) <= ARRAY_BYTES else "records"


def _shorter_side(resize: int | None, augmentation: Augmentation) -> int | None:
    if not resize:
        return None
    if augmentation.kind == "random_resized_crop":
        return round(resize * SHORTER_SIDE_PER_CROP)
    return resize


def _cut(
    scans: dict[str, Scan],
    validation_fraction: float,
    seed: int,
    limit_train: int | None,
    limit_test: int | None,
) -> dict[str, np.ndarray]:
    """Positions in the source of the images of each split."""
    train = _limited(scans["train"].labels, limit_train, seed, "train")
    n_validation = round(validation_fraction * len(train))
    if n_validation == len(train) or (validation_fraction > 0 and n_validation == 0):
        raise ValueError(
            f"Received validation_fraction {validation_fraction} of {len(train)} images, which "
            "leaves a split empty; expected some for both, or 0."
        )
    drawn = stratified_draw(
        scans["train"].labels[train], n_validation, generator(seed, "validation")
    )
    return {
        "train": np.delete(train, drawn),
        "validation": train[drawn],
        "test": _limited(scans["test"].labels, limit_test, seed, "test"),
    }


def _limited(labels: np.ndarray, limit: int | None, seed: int, split: str) -> np.ndarray:
    if not limit or limit >= len(labels):
        return np.arange(len(labels))
    return stratified_draw(labels, limit, generator(seed, "limit", split))


def _write(
    source,
    folder: Path,
    scans: dict[str, Scan],
    positions: dict[str, np.ndarray],
    view: View,
    storage: str,
) -> None:
    for source_split, splits in {"train": ("train", "validation"), "test": ("test",)}.items():
        labels = scans[source_split].labels
        writers = {}
        for split in splits:
            n = len(positions[split])
            path = prepared.images_path(folder, split, storage)
            writers[split] = (
                ArrayWriter(path, n, view) if storage == "arrays" else RecordWriter(path)
            )
            save_array(prepared.labels_path(folder, split), labels[positions[split]])
        _copy(source, source_split, labels, {writers[split]: positions[split] for split in splits})
        for split, writer in writers.items():
            n_written = writer.close()
            if n_written != len(positions[split]):
                raise ValueError(
                    f"Received {n_written} images for the {split} split; expected "
                    f"{len(positions[split])}, as many as the first look at the source found."
                )


def _copy(source, split: str, labels: np.ndarray, writers: dict) -> None:
    """Reads a part of the source once and hands each writer the images at its positions."""
    start = 0
    for batch in source.batches(split):
        stop = start + len(batch.images)
        if not np.array_equal(batch.labels, labels[start:stop]):
            raise ValueError(
                f"Received other labels from {source.description['source']} than at the first "
                "look; expected a source that does not change while it is read."
            )
        for writer, positions in writers.items():
            low, high = np.searchsorted(positions, (start, stop))
            chosen = positions[low:high] - start
            writer.add([batch.images[i] for i in chosen], batch.labels[chosen])
        start = stop


def _meta(source, folder: Path, view: View, storage: str, seed: int) -> dict:
    """What is known of the images once they are written, read back from the files."""
    splits = {split: prepared.load_split(folder, split, storage, view) for split in prepared.SPLITS}
    mean, std = _statistics(splits["train"], seed)
    view = dataclasses.replace(view, mean=tuple(mean))
    return {
        "format": prepared.FORMAT,
        "name": source.name,
        "title": source.title,
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
        },
    }


def _statistics(train: Split, seed: int) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel; the sums are integers, so they are exact."""
    positions = np.arange(len(train))
    if train.array is None and len(train) > STATISTICS_IMAGES:
        random = generator(seed, "statistics")
        positions = np.sort(random.choice(positions, STATISTICS_IMAGES, replace=False))
    n, total, squares = 0, 0.0, 0.0
    for chunk in _chunks(positions):
        pixels = train.images(chunk).astype(np.float64)
        n += pixels[..., 0].size
        total += pixels.sum(axis=(0, 1, 2))
        squares += np.square(pixels).sum(axis=(0, 1, 2))
    mean = total / n
    std = np.sqrt(squares / n - np.square(mean))
    return mean.tolist(), np.maximum(std, 1.0).tolist()  # a channel of one color divides by 1


def _checksum(splits: dict[str, Split], view: View, std: list[float]) -> str:
    """Of images and labels, and of how they are seen: of all that training depends on."""
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
