"""The test images that the explorer shows."""

import base64
from typing import NamedTuple

import numpy as np

from residual_ensembles.statistics.randomness import generator, stratified_draw

MOST = 100
LEAST = 24
PIXELS = MOST * 8 * 8
"""So many in all, as long as there are `LEAST` images: a lesion is then answered in seconds."""


class Images(NamedTuple):
    """Images and what they are."""

    shape: tuple[int, int, int]
    """Height, width, channels."""
    positions: list[int]
    """Where they stand in the test split, counted from 0."""
    labels: list[int]
    """Class of each."""
    bytes: str
    """uint8, base64, `(n, height, width, channels)`."""

    @property
    def facts(self) -> dict:
        """What the page needs to know beside the bytes."""
        return {"shape": list(self.shape), "positions": self.positions, "labels": self.labels}


def number_shown(image_shape: tuple[int, int, int], available: int) -> int:
    """Returns how many images are shown: the larger they are, the fewer.

    Example:
        >>> number_shown((8, 8, 1), 360), number_shown((32, 32, 3), 10_000)
        (100, 24)
    """
    height, width, _ = image_shape
    return min(available, max(LEAST, min(MOST, PIXELS // (height * width))))


def draw(split, image_shape: tuple[int, int, int], seed: int = 0) -> Images:
    """Draws images so that each class has its share.

    Args:
        split: The test split of prepared data.
        image_shape: `(height, width, channels)`.
        seed: Seed of the draw.
    """
    n = number_shown(image_shape, len(split))
    positions = stratified_draw(split.labels, n, generator(seed, "explorer pictures"))
    images = np.ascontiguousarray(split.images(positions), np.uint8)
    return Images(
        tuple(image_shape),
        positions.tolist(),
        split.labels[positions].tolist(),
        base64.b64encode(images.tobytes()).decode(),
    )
