"""Pad, crop and flip: the augmentation of CIFAR-10 in the paper's code, implemented twice.

`crop_and_flip` runs on the device inside a compiled training step, on any backend;
`crop_and_flip_on_host` is the obvious version in NumPy, for images that are read from disk, and
the reference of the other.
"""

import numpy as np


def crop_and_flip(images, top, left, flip, padding: int, fill):
    """Crops each padded image, and mirrors some, on the device.

    One gather fetches every pixel of the result, with `fill` for those of the padding. The padded
    image is never built.

    Args:
        images: In 0..255, uint8 or float, `(batch, height, width, channels)`.
        top: Row of the crop's corner in the padded image, 0..2 × padding, `(batch,)`.
        left: Column of the crop's corner, likewise.
        flip: Whether the crop is mirrored left to right, bool, `(batch,)`.
        padding: Width of the border added on each side, in pixels.
        fill: Color of the padding in 0..255, `(channels,)`. The train split's mean makes it
            exactly 0 after normalization, as in the authors' code, which pads afterwards.

    Returns:
        float32 in 0..255, `(batch, height, width, channels)`.

    Example:
        >>> images = np.full((1, 2, 2, 1), 255, np.uint8)
        >>> moved = crop_and_flip(images, [0], [1], [False], padding=1, fill=[9.0])
        >>> np.asarray(moved)[0, :, :, 0].tolist()
        [[9.0, 9.0], [255.0, 255.0]]
    """
    from keras import ops  # here: importing Keras imports its backend, and reading data needs none

    batch = ops.shape(images)[0]
    height, width, channels = images.shape[1:]
    rows = ops.arange(height) + ops.cast(top, "int32")[:, None] - padding
    columns = ops.arange(width)
    columns = ops.where(ops.cast(flip, "bool")[:, None], width - 1 - columns, columns)
    columns = columns + ops.cast(left, "int32")[:, None] - padding
    inside = ops.logical_and(
        ops.logical_and(rows >= 0, rows < height)[:, :, None],
        ops.logical_and(columns >= 0, columns < width)[:, None, :],
    )
    first = ops.arange(batch)[:, None, None] * (height * width)
    source = first + ops.clip(rows, 0, height - 1)[:, :, None] * width
    source = source + ops.clip(columns, 0, width - 1)[:, None, :]
    moved = ops.take(ops.reshape(images, (-1, channels)), source, axis=0)
    return ops.where(
        inside[..., None], ops.cast(moved, "float32"), ops.convert_to_tensor(fill, "float32")
    )


def crop_and_flip_on_host(
    images: np.ndarray,
    top: np.ndarray,
    left: np.ndarray,
    flip: np.ndarray,
    padding: int,
    fill: np.ndarray,
) -> np.ndarray:
    """Does what `crop_and_flip` does in NumPy, all in uint8: `fill` is rounded."""
    n, height, width, channels = images.shape
    padded = np.empty((n, height + 2 * padding, width + 2 * padding, channels), np.uint8)
    padded[:] = np.rint(fill)
    padded[:, padding : padding + height, padding : padding + width] = images
    result = np.empty_like(images)
    for i in range(n):
        crop = padded[i, top[i] : top[i] + height, left[i] : left[i] + width]
        result[i] = crop[:, ::-1] if flip[i] else crop
    return result
