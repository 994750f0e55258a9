"""One part of a prepared data set, read by index."""

import abc
import concurrent.futures
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from residual_ensembles.data import random_resized_crop, records
from residual_ensembles.data.augmentation import draw_augmentation
from residual_ensembles.data.pad_crop import crop_and_flip_on_host
from residual_ensembles.data.view import View

THREADS = min(16, os.cpu_count() or 1)  # Pillow works outside Python's lock


class Part(abc.ABC):
    """The train, validation or test part.

    `len(part)` is its number of pictures; positions count from 0.

    Attributes:
        labels: Class of each picture, int32, `(n,)`.
        array: All pictures, uint8, `(n, height, width, channels)`, mapped from disk; None where
            they do not fit in memory and are read one by one.
    """

    array: np.ndarray | None = None

    def __init__(self, labels: np.ndarray, view: View):
        self.labels = labels
        self._view = view

    def __len__(self) -> int:
        return len(self.labels)

    @abc.abstractmethod
    def pictures(self, indices: np.ndarray | slice) -> np.ndarray:
        """Returns pictures as evaluation sees them.

        Args:
            indices: Positions in the part, `(batch,)`, or a slice.

        Returns:
            uint8, `(batch, height, width, channels)`.
        """

    def augmented(self, indices: np.ndarray | slice, seed: int, epoch: int) -> np.ndarray:
        """Returns pictures as training sees them, a function of (seed, epoch, position).

        Padding has the train part's mean colour, rounded to whole numbers.

        Args:
            indices: Positions in the part, `(batch,)`, or a slice.
            seed: The study's seed.
            epoch: The epoch, counted from 1.

        Returns:
            uint8, `(batch, height, width, channels)`.
        """
        indices = np.arange(len(self))[indices]
        augmentation = self._view.augmentation
        drawn = draw_augmentation(augmentation, seed, epoch, indices)
        if augmentation.kind == "random_resized_crop":
            return self._crops(indices, drawn)
        pictures = self.pictures(indices)
        return crop_and_flip_on_host(
            pictures, **drawn, padding=augmentation.padding, fill=np.array(self._view.mean)
        )

    def _crops(self, indices: np.ndarray, drawn: dict[str, np.ndarray]) -> np.ndarray:
        height, width, _ = self._view.picture_shape

        def crop(row: int, image: Image.Image) -> Image.Image:
            own = {name: values[row] for name, values in drawn.items()}
            return random_resized_crop.crop(image, height, width, **own)

        return self._stack(indices, crop)

    def _stack(
        self, indices: np.ndarray, view: Callable[[int, Image.Image], Image.Image]
    ) -> np.ndarray:
        """Returns `view(row, image)` of each row of a batch, made in threads."""
        result = np.empty((len(indices), *self._view.picture_shape), np.uint8)

        def fill(row: int, stored: object) -> None:
            try:
                image = view(row, self._open(stored))
            except ValueError as error:
                raise ValueError(
                    f"Received picture {indices[row]} of its part, {error}; expected a picture "
                    "that is whole. Mend the source and prepare the data again."
                ) from None
            result[row] = np.asarray(image).reshape(result.shape[1:])

        with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
            for _ in threads.map(fill, range(len(indices)), self.stored(indices)):
                pass  # raises what a thread raised
        return result

    @abc.abstractmethod
    def stored(self, indices: np.ndarray) -> Sequence:
        """The pictures at these positions as they are stored."""

    @abc.abstractmethod
    def _open(self, stored: object) -> Image.Image:
        """The picture that is stored so."""


class ArrayPart(Part):
    """A part whose pictures fit in memory."""

    def __init__(self, array: np.ndarray, labels: np.ndarray, view: View):
        super().__init__(labels, view)
        if array.shape != (len(labels), *view.picture_shape):
            raise ValueError(f"pictures of shape {array.shape} for {len(labels)} labels")
        self.array = array

    def pictures(self, indices: np.ndarray | slice) -> np.ndarray:
        return np.array(self.array[indices])

    def stored(self, indices: np.ndarray) -> np.ndarray:
        return self.array[indices]

    def _open(self, stored: np.ndarray) -> Image.Image:
        return Image.fromarray(stored[..., 0] if stored.shape[-1] == 1 else stored)


class RecordPart(Part):
    """A part whose pictures stay on disk, encoded, and are decoded when they are asked for."""

    def __init__(self, path: Path, labels: np.ndarray, view: View):
        super().__init__(labels, view)
        self._records = records.open_records(path)
        n_pictures = self._records.num_records()  # 0 of a damaged file, which opens all the same
        if n_pictures != len(labels):
            raise ValueError(f"{n_pictures} pictures for {len(labels)} labels")

    def pictures(self, indices: np.ndarray | slice) -> np.ndarray:
        indices = np.arange(len(self))[indices]
        return self._stack(indices, lambda row, image: self._view.of_evaluation(image))

    def stored(self, indices: np.ndarray) -> list[bytes]:
        return self._records.read(indices.tolist()) if len(indices) else []

    def _open(self, stored: bytes) -> Image.Image:
        picture, _ = records.decode(stored)
        return records.open_picture(picture, self._view.picture_shape[-1])
