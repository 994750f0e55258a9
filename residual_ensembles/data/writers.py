"""What stores the pictures of one part while data is being prepared."""

import concurrent.futures
from pathlib import Path

import numpy as np

from residual_ensembles.data import records
from residual_ensembles.data.part import THREADS
from residual_ensembles.data.view import View


def save_array(path: Path, array: np.ndarray) -> None:
    """Writes a .npy file; unlike `np.save`, it fails on a full disk with an error that says so."""
    with path.open("wb") as file:
        header = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(file, header)
        file.write(array.data)


class ArrayWriter:
    """Decodes pictures into one array. It is kept in memory until it is written: a file that is
    mapped and then filled kills the process when the disk is full.

    Args:
        path: The .npy file.
        n: How many pictures there will be.
        view: Brings them to one size.
    """

    def __init__(self, path: Path, n: int, view: View):
        self._path = path
        self._view = view
        self._array = np.zeros((n, *view.picture_shape), np.uint8)
        self._n_written = 0

    def add(self, pictures: list[bytes], labels: np.ndarray) -> None:
        """Appends encoded pictures; their labels are stored elsewhere."""
        with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
            for picture in threads.map(self._decode, pictures):
                self._array[self._n_written] = picture
                self._n_written += 1

    def close(self) -> int:
        """Writes the file and returns how many pictures it holds."""
        save_array(self._path, self._array)
        return self._n_written

    def _decode(self, picture: bytes) -> np.ndarray:
        image = records.open_picture(picture, self._view.picture_shape[-1])
        return np.asarray(self._view.of_evaluation(image)).reshape(self._view.picture_shape)


class RecordWriter:
    """Stores pictures as they are encoded, one by one.

    Args:
        path: The ArrayRecord file.
    """

    def __init__(self, path: Path):
        self._path = path
        self._writer = records.RecordWriter(path)

    def add(self, pictures: list[bytes], labels: np.ndarray) -> None:
        """Appends encoded pictures with their labels."""
        for picture, label in zip(pictures, labels.tolist(), strict=True):
            self._writer.write(records.encode(picture, label))

    def close(self) -> int:
        """Finishes the file and returns how many pictures can be read back."""
        self._writer.close()
        return records.open_records(self._path).num_records()
