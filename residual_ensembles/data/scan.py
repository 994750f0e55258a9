"""The first look at a source: labels and sizes of all pictures, before anything is written."""

import concurrent.futures
import dataclasses
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
    """

    labels: np.ndarray
    sizes: dict[tuple[int, int], str]


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
    labels, sizes, broken = [], {}, []
    with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
        for batch in source.batches(part):
            found = threads.map(_size if source.verified else _decoded_size, batch.pictures)
            for name, size in zip(batch.names, found, strict=True):
                if isinstance(size, str):
                    broken.append(f"{name}, {size}")
                else:
                    sizes.setdefault(size, name)
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
    return Scan(labels, sizes)


def _size(picture: bytes) -> tuple[int, int] | str:
    try:
        with Image.open(io.BytesIO(picture)) as image:
            return image.height, image.width
    except OSError as error:
        return f"a broken picture, {error}"


def _decoded_size(picture: bytes) -> tuple[int, int] | str:
    try:
        image = records.open_picture(picture, channels=3)
    except ValueError as error:
        return str(error)
    return image.height, image.width
