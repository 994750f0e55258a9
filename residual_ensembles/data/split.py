"""Splits of a prepared data set, read by index, and the size at which images are seen."""

import abc
import concurrent.futures
import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from residual_ensembles.data import random_resized_crop, records
from residual_ensembles.data.augmentation import Augmentation, draw_augmentation
from residual_ensembles.data.pad_crop import crop_and_flip_on_host

THREADS = min(16, os.cpu_count() or 1)  # Pillow works outside Python's lock

# ImageNet's single-crop test: shorter side 256, then the central 224 × 224 (He et al. 2016b; the
# authors' lesion study evaluates so).
SHORTER_SIDE_PER_CROP = 256 / 224


def center_crop(image: Image.Image, height: int, width: int, shorter_side: int) -> Image.Image:
    """Resizes an image so that its shorter side has this length, and crops the center.

    Example:
        >>> center_crop(Image.new("RGB", (500, 375)), 224, 224, shorter_side=256).size
        (224, 224)
    """
    scale = shorter_side / min(image.size)
    size = (
        max(shorter_side, round(image.width * scale)),
        max(shorter_side, round(image.height * scale)),
    )
    if size != image.size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return image.crop((left, top, left + width, top + height))


@dataclasses.dataclass(frozen=True)
class View:
    """Properties that all splits of a prepared data set share.

    Args:
        image_shape: `(height, width, channels)` of what the network sees.
        shorter_side: Length to which evaluation resizes the shorter side before it crops the
            center, in pixels; None where stored images have the right size already.
        augmentation: Augmentation of training images.
        mean: Mean of the train split per channel, in 0..255.
    """

    image_shape: tuple[int, int, int]
    shorter_side: int | None
    augmentation: Augmentation
    mean: tuple[float, ...]

    def of_evaluation(self, image: Image.Image) -> Image.Image:
        """Returns the image as evaluation sees it."""
        if self.shorter_side is None:
            return image
        return center_crop(image, *self.image_shape[:2], self.shorter_side)


class Split(abc.ABC):
    """The train, validation or test split.

    `len(split)` is its number of images; positions count from 0.

    Attributes:
        labels: Class of each image, int32, `(n,)`.
        array: All images, uint8, `(n, height, width, channels)`, mapped from disk; None where
            they do not fit in memory and are read one by one.
    """

    array: np.ndarray | None = None

    def __init__(self, labels: np.ndarray, view: View):
        self.labels = labels
        self._view = view

    def __len__(self) -> int:
        return len(self.labels)

    @abc.abstractmethod
    def images(self, indices: np.ndarray | slice) -> np.ndarray:
        """Returns images as evaluation sees them.

        Args:
            indices: Positions in the split, `(batch,)`, or a slice.

        Returns:
            uint8, `(batch, height, width, channels)`.
        """

    def augmented(self, indices: np.ndarray | slice, seed: int, epoch: int) -> np.ndarray:
        """Returns images as training sees them, a function of (seed, epoch, position).

        Padding has the train split's mean color, rounded to integers.

        Args:
            indices: Positions in the split, `(batch,)`, or a slice.
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
        images = self.images(indices)
        return crop_and_flip_on_host(
            images, **drawn, padding=augmentation.padding, fill=np.array(self._view.mean)
        )

    def _crops(self, indices: np.ndarray, drawn: dict[str, np.ndarray]) -> np.ndarray:
        height, width, _ = self._view.image_shape

        def crop(row: int, image: Image.Image) -> Image.Image:
            own = {name: values[row] for name, values in drawn.items()}
            return random_resized_crop.crop(image, height, width, **own)

        return self._stack(indices, crop)

    def _stack(
        self, indices: np.ndarray, view: Callable[[int, Image.Image], Image.Image]
    ) -> np.ndarray:
        """Returns `view(row, image)` of each row of a batch, computed in threads."""
        result = np.empty((len(indices), *self._view.image_shape), np.uint8)

        def fill(row: int, stored: object) -> None:
            try:
                image = view(row, self._open(stored))
            except ValueError as error:
                raise ValueError(
                    f"Received image {indices[row]} of its split, {error}; expected an intact "
                    "image. Mend the source and prepare the data again."
                ) from None
            result[row] = np.asarray(image).reshape(result.shape[1:])

        with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
            for _ in threads.map(fill, range(len(indices)), self.stored(indices)):
                pass  # raises what a thread raised
        return result

    @abc.abstractmethod
    def stored(self, indices: np.ndarray) -> Sequence | np.ndarray:
        """Returns the images at these positions as they are stored."""

    @abc.abstractmethod
    def _open(self, stored: Any) -> Image.Image:
        """Decodes a stored image."""


class ArraySplit(Split):
    """A split whose images fit in memory."""

    array: np.ndarray

    def __init__(self, array: np.ndarray, labels: np.ndarray, view: View):
        super().__init__(labels, view)
        if array.shape != (len(labels), *view.image_shape):
            raise ValueError(f"images of shape {array.shape} for {len(labels)} labels")
        self.array = array

    def images(self, indices: np.ndarray | slice) -> np.ndarray:
        return np.array(self.array[indices])

    def stored(self, indices: np.ndarray) -> np.ndarray:
        return self.array[indices]

    def _open(self, stored: np.ndarray) -> Image.Image:
        return Image.fromarray(stored[..., 0] if stored.shape[-1] == 1 else stored)


class RecordSplit(Split):
    """A split whose images stay on disk, encoded, and are decoded when they are asked for."""

    def __init__(self, path: Path, labels: np.ndarray, view: View):
        super().__init__(labels, view)
        self._records = records.open_records(path)
        n_images = self._records.num_records()  # 0 of a damaged file, which opens all the same
        if n_images != len(labels):
            raise ValueError(f"{n_images} images for {len(labels)} labels")

    def images(self, indices: np.ndarray | slice) -> np.ndarray:
        indices = np.arange(len(self))[indices]
        return self._stack(indices, lambda row, image: self._view.of_evaluation(image))

    def stored(self, indices: np.ndarray) -> list[bytes]:
        return self._records.read(indices.tolist()) if len(indices) else []

    def _open(self, stored: bytes) -> Image.Image:
        encoded, _ = records.decode(stored)
        return records.open_image(encoded, self._view.image_shape[-1])
