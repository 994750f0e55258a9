"""The first look at a source: labels and sizes of all pictures, before anything is written."""

import collections
import concurrent.futures
import dataclasses
import functools
import io

import numpy as np
from PIL import Image

from residual_ensembles.data import records
from residual_ensembles.data.part import THREADS


@dataclasses.dataclass(frozen=True)
class Scan:
    """What one part of a source holds.

    Attributes:
        labels: Class of each picture, int32, `(n,)`.
        sizes: For each (height, width) that occurs, the name of the first such picture.
        converted: How many pictures are each of `records.conversions`.
    """

    labels: np.ndarray
    sizes: dict[tuple[int, int], str]
    converted: collections.Counter


def scan(source, part: str) -> Scan:
    """Looks at every picture of a part.

    Args:
        source: A `Source`. Where it does not vouch for its pictures, each is decoded.
        part: `train` or `test`.

    Returns:
        What was found.

    Raises:
        ValueError: A picture is broken or is none, or has no label.
    """
    labels, sizes, converted, broken = [], {}, collections.Counter(), []
    with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
        for batch in source.batches(part):
            look = functools.partial(_look, decode=not source.verified)
            for name, found in zip(batch.names, threads.map(look, batch.pictures), strict=True):
                if isinstance(found, str):
                    broken.append(f"{name}, {found}")
                else:
                    size, kinds = found
                    sizes.setdefault(size, name)
                    converted.update(kinds)
            labels.append(batch.labels)
    if broken:
        others = f" {len(broken) - 1} more are broken too." if len(broken) > 1 else ""
        raise ValueError(
            f"Received {broken[0]}; expected a JPEG or PNG picture. Replace or remove it.{others}"
        )
    labels = np.concatenate([np.empty(0, np.int32), *labels])
    if not len(labels) or labels.min() < 0:
        raise ValueError(
            f"Received {source.description['source']} with {np.sum(labels < 0)} of {len(labels)} "
            f"pictures without a label in {source.splits[part]}; expected pictures, all labelled."
        )
    return Scan(labels, sizes, converted)


def _look(picture: bytes, decode: bool) -> tuple[tuple[int, int], list[str]] | str:
    """Size and conversions of a picture, or what is wrong with it."""
    try:
        if decode:
            records.open_picture(picture, channels=3)
        with Image.open(io.BytesIO(picture)) as image:
            return (image.height, image.width), records.conversions(image)
    except Exception as error:  # Pillow's plugins raise what they like on broken files
        return str(error) if isinstance(error, ValueError) else f"a broken picture, {error}"
