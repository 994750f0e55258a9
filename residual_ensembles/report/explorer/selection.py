"""Selection of what the explorer shows: networks of each family, and test images of each class."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from residual_ensembles.models.architectures import ARCHITECTURES
from residual_ensembles.statistics.randomness import generator, stratified_draw

MAX_IMAGES = 100
MIN_IMAGES = 24
PIXELS = MAX_IMAGES * 8 * 8
"""Pixels of all images, at most, unless `MIN_IMAGES` have more: a lesion then takes seconds."""


class Choice(NamedTuple):
    """A network that the explorer may offer."""

    name: str
    seed: int
    title: str
    path: Path
    """Path of its model.keras."""
    error_fraction: float
    """Error of the intact network, on the full test split of `n_images`."""
    n_images: int


def choose(networks_dir: Path, networks: Sequence[str], seeds: Sequence[int]) -> list[Choice]:
    """Returns a network of each family without gates of its own, as far as the study has any.

    Of several ResNets it is the first that was trained without gates, else the first of all; and of
    several seeds the first.

    Args:
        networks_dir: Folder of NETWORK-SEED/model.keras and run.json.
        networks: Names, in the study's order.
        seeds: Seeds, in the study's order.

    Raises:
        ValueError: A run.json cannot be read.

    Example:
        >>> [choice.title for choice in choose(results / "networks", ["resnet"], [0])]
        ['ResNet-110']
    """
    runs = [(name, _run(networks_dir / f"{name}-{seeds[0]}")) for name in networks]
    runs.sort(key=lambda run: run[1]["gating"] != "none")  # stable: the study's order stays
    chosen: dict[str, Choice] = {}
    for name, run in runs:
        known = ARCHITECTURES.get(run["model"])
        if known is None or known.has_gates or known.title in chosen:
            continue
        gated = "" if run["gating"] == "none" else f", {run['gating'].replace('_', ' ')}"
        chosen[known.title] = Choice(
            name,
            seeds[0],
            f"{known.title}-{run['depth']}{gated}",
            networks_dir / f"{name}-{seeds[0]}" / "model.keras",
            run["test_error_fraction"],
            run["n_test_images"],
        )
    titles = dict.fromkeys(known.title for known in ARCHITECTURES.values())
    return [chosen[title] for title in titles if title in chosen]


def _run(folder: Path) -> dict:
    try:
        return json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Received {folder}, whose run.json cannot be read ({error}), expected the folder of a "
            "trained network."
        ) from None


class Images(NamedTuple):
    """Test images and their labels."""

    shape: tuple[int, int, int]
    """Height, width, channels."""
    positions: list[int]
    """Positions in the test split, from 0."""
    labels: list[int]
    """Class of each."""
    bytes: str
    """uint8, base64, `(n, height, width, channels)`."""

    @property
    def facts(self) -> dict:
        """All that the page reads of the images except the bytes."""
        return {"shape": list(self.shape), "positions": self.positions, "labels": self.labels}


def number_shown(image_shape: tuple[int, int, int], available: int) -> int:
    """Returns how many images are shown: the larger they are, the fewer.

    Example:
        >>> number_shown((8, 8, 1), 360), number_shown((32, 32, 3), 10_000)
        (100, 24)
    """
    height, width, _ = image_shape
    return min(available, max(MIN_IMAGES, min(MAX_IMAGES, PIXELS // (height * width))))


def draw(split, image_shape: tuple[int, int, int], seed: int = 0) -> Images:
    """Draws images so that each class has its share.

    Args:
        split: The test split of prepared data.
        image_shape: `(height, width, channels)`.
        seed: Seed of the draw.

    Example:
        >>> from residual_ensembles import data
        >>> prepared = data.prepare("digits", folder)
        >>> draw(prepared.split("test"), prepared.image_shape).shape
        (8, 8, 1)
    """
    n = number_shown(image_shape, len(split))
    positions = stratified_draw(split.labels, n, generator(seed, "explorer pictures"))
    images = np.ascontiguousarray(split.images(positions), np.uint8)
    return Images(
        image_shape,
        positions.tolist(),
        split.labels[positions].tolist(),
        base64.b64encode(images.tobytes()).decode(),
    )
