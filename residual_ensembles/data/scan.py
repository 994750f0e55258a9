"""Scan of a source: labels and sizes of all images, before anything is written."""

import collections
import concurrent.futures
import dataclasses
import functools
import io

import numpy as np
from PIL import Image

from residual_ensembles.data import records
from residual_ensembles.data.split import THREADS


@dataclasses.dataclass(frozen=True)
class Scan:
    """Labels, sizes and conversions of one split of a source.

    Attributes:
        labels: Class of each image, int32, `(n,)`.
        sizes: For each (height, width) that occurs, the name of the first such image.
        converted: How many images are each of `records.conversions`.
    """

    labels: np.ndarray
    sizes: dict[tuple[int, int], str]
    converted: collections.Counter


def scan(source, split: str) -> Scan:
    """Reads the header of every image of a split.

    Images of a source that is not `verified` are decoded too.

    Raises:
        ValueError: An image is broken or not an image, or has no label.
    """
    batches: list[np.ndarray] = []
    sizes: dict[tuple[int, int], str] = {}
    converted: collections.Counter[str] = collections.Counter()
    broken = []
    with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
        for batch in source.batches(split):
            inspect = functools.partial(_inspect, decode=not source.verified)
            for name, result in zip(batch.names, threads.map(inspect, batch.images), strict=True):
                if isinstance(result, str):
                    broken.append(f"{name}, {result}")
                else:
                    size, kinds = result
                    sizes.setdefault(size, name)
                    converted.update(kinds)
            batches.append(batch.labels)
    if broken:
        others = f" {len(broken) - 1} more are broken too." if len(broken) > 1 else ""
        raise ValueError(
            f"Received {broken[0]}; expected a JPEG or PNG image. Replace or remove it.{others}"
        )
    labels = np.concatenate([np.empty(0, np.int32), *batches])
    if not len(labels) or labels.min() < 0:
        raise ValueError(
            f"Received {source.description['source']} with {np.sum(labels < 0)} of {len(labels)} "
            f"images without a label in {source.splits[split]}; expected images, all labeled."
        )
    return Scan(labels, sizes, converted)


def _inspect(encoded: bytes, decode: bool) -> tuple[tuple[int, int], list[str]] | str:
    """Returns size and conversions of an image, or what is wrong with it."""
    try:
        if decode:
            records.open_image(encoded, channels=3)
        with Image.open(io.BytesIO(encoded)) as image:
            return (image.height, image.width), records.conversions(image)
    except Exception as error:  # Pillow's plugins raise what they like on broken files
        return str(error) if isinstance(error, ValueError) else f"a broken image, {error}"
