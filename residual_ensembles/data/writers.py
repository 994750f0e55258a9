"""Images and labels of a source, written split by split while data is prepared."""

import concurrent.futures
from pathlib import Path

import numpy as np

from residual_ensembles.data import prepared, records
from residual_ensembles.data.scan import Scan
from residual_ensembles.data.split import THREADS, View


def save_array(path: Path, array: np.ndarray) -> None:
    """Writes a .npy file; unlike `np.save`, it fails on a full disk with an error that says so."""
    with path.open("wb") as file:
        header = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(file, header)
        file.write(array.data)


class ArrayWriter:
    """Decodes images into one array, which is in memory until it is written.

    A file that is mapped and then filled kills the process when the disk is full.
    """

    def __init__(self, path: Path, n: int, view: View):
        self._path = path
        self._view = view
        self._array = np.zeros((n, *view.image_shape), np.uint8)
        self._n_written = 0

    def add(self, images: list[bytes], labels: np.ndarray) -> None:
        """Appends encoded images; their labels have a file of their own."""
        with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
            for image in threads.map(self._decode, images):
                self._array[self._n_written] = image
                self._n_written += 1

    def close(self) -> int:
        """Writes the file and returns how many images it holds."""
        save_array(self._path, self._array)
        return self._n_written

    def _decode(self, encoded: bytes) -> np.ndarray:
        image = records.open_image(encoded, self._view.image_shape[-1])
        return np.asarray(self._view.of_evaluation(image)).reshape(self._view.image_shape)


def write_splits(
    source,
    folder: Path,
    scans: dict[str, Scan],
    positions: dict[str, np.ndarray],
    view: View,
    storage: str,
) -> None:
    """Writes the images and labels of each split of a source.

    Args:
        source: The open source.
        folder: Folder to write to.
        scans: Scan of `train` and of `test`.
        positions: Positions in the source of the images of each split, ascending.
        view: Resizes images that are stored as arrays.
        storage: "arrays" or "records".

    Raises:
        ValueError: The source changes while it is read.
        OSError: The disk is full.
    """
    for source_split, splits in {"train": ("train", "validation"), "test": ("test",)}.items():
        labels = scans[source_split].labels
        writers = {}
        for split in splits:
            n = len(positions[split])
            path = prepared.images_path(folder, split, storage)
            writers[split] = (
                ArrayWriter(path, n, view) if storage == "arrays" else records.RecordWriter(path)
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
    """Reads a split of the source once and gives each writer the images at its positions."""
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
