"""Writers that store the images of one split while data is prepared."""

import concurrent.futures
from pathlib import Path

import numpy as np

from residual_ensembles.data import records
from residual_ensembles.data.split import THREADS
from residual_ensembles.data.view import View


def save_array(path: Path, array: np.ndarray) -> None:
    """Writes a .npy file; unlike `np.save`, it fails on a full disk with an error that says so."""
    with path.open("wb") as file:
        header = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(file, header)
        file.write(array.data)


class ArrayWriter:
    """Decodes images into one array. It is kept in memory until it is written: a file that is
    mapped and then filled kills the process when the disk is full.

    Args:
        path: The .npy file.
        n: How many images there will be.
        view: Brings them to one size.
    """

    def __init__(self, path: Path, n: int, view: View):
        self._path = path
        self._view = view
        self._array = np.zeros((n, *view.image_shape), np.uint8)
        self._n_written = 0

    def add(self, images: list[bytes], labels: np.ndarray) -> None:
        """Appends encoded images; their labels are stored elsewhere."""
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


class RecordWriter:
    """Stores images as they are encoded, one by one.

    Args:
        path: The ArrayRecord file.
    """

    def __init__(self, path: Path):
        self._path = path
        self._writer = records.RecordWriter(path)

    def add(self, images: list[bytes], labels: np.ndarray) -> None:
        """Appends encoded images with their labels."""
        for image, label in zip(images, labels.tolist(), strict=True):
            self._writer.write(records.encode(image, label))

    def close(self) -> int:
        """Finishes the file and returns how many images can be read back."""
        self._writer.close()
        return records.open_records(self._path).num_records()
