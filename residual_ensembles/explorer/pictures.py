"""The test pictures that the explorer shows."""

import base64
from typing import NamedTuple

import numpy as np

from residual_ensembles.data.stratified import stratified_draw
from residual_ensembles.randomness import generator

MOST = 100
LEAST = 24
PIXELS = MOST * 8 * 8
"""So many in all, as long as there are `LEAST` pictures: a lesion is then answered in seconds."""


class Pictures(NamedTuple):
    """Pictures and what they are."""

    shape: tuple[int, int, int]
    """Height, width, channels."""
    positions: list[int]
    """Where they stand in the test part, counted from 0."""
    labels: list[int]
    """Class of each."""
    bytes: str
    """uint8, base64, `(n, height, width, channels)`."""

    @property
    def facts(self) -> dict:
        """What the page needs to know beside the bytes."""
        return {"shape": list(self.shape), "positions": self.positions, "labels": self.labels}


def number_shown(picture_shape: tuple[int, int, int], available: int) -> int:
    """Returns how many pictures are shown: the larger they are, the fewer.

    Example:
        >>> number_shown((8, 8, 1), 360), number_shown((32, 32, 3), 10_000)
        (100, 24)
    """
    height, width, _ = picture_shape
    return min(available, max(LEAST, min(MOST, PIXELS // (height * width))))


def draw(part, picture_shape: tuple[int, int, int], seed: int = 0) -> Pictures:
    """Draws pictures so that each class has its share.

    Args:
        part: The test part of prepared data.
        picture_shape: `(height, width, channels)`.
        seed: Of the draw.
    """
    n = number_shown(picture_shape, len(part))
    positions = stratified_draw(part.labels, n, generator(seed, "explorer pictures"))
    pictures = np.ascontiguousarray(part.pictures(positions), np.uint8)
    return Pictures(
        tuple(picture_shape),
        positions.tolist(),
        part.labels[positions].tolist(),
        base64.b64encode(pictures.tobytes()).decode(),
    )
