"""Scale and aspect ratio augmentation (Szegedy et al. 2015, "Going deeper with convolutions").

He et al. 2016b train on ImageNet with it: a box with 8 to 100 % of the area of the image and an
aspect ratio of 3/4 to 4/3, resized to the network's input. The drawn numbers do not depend on the
size of the image; the box does.
"""

import math

import numpy as np
from PIL import Image

AREA_RANGE = (0.08, 1.0)  # Szegedy et al. 2015, section 6
ASPECT_RANGE = (3 / 4, 4 / 3)  # width / height, as above
ATTEMPTS = 10  # boxes tried before falling back to the center, as in fb.resnet.torch
N_DRAWS = 2 * ATTEMPTS + 2


def draw(numbers: np.ndarray) -> dict[str, np.ndarray]:
    """Returns relative crops, which fit images of any size, from uniform numbers.

    Args:
        numbers: Uniform in [0, 1), shape `(batch, N_DRAWS)`.

    Returns:
        `area`, a fraction of the image's, and `aspect`, width / height, each of shape
        `(batch, ATTEMPTS)`; `top` and `left`, the position as a fraction of the room that the box
        leaves, shape `(batch,)`.
    """
    low, high = AREA_RANGE
    log_low, log_high = np.log(ASPECT_RANGE)
    return {
        "area": low + (high - low) * numbers[:, :ATTEMPTS],
        "aspect": np.exp(log_low + (log_high - log_low) * numbers[:, ATTEMPTS : 2 * ATTEMPTS]),
        "top": numbers[:, -2],
        "left": numbers[:, -1],
    }


def box(
    height: int, width: int, area: np.ndarray, aspect: np.ndarray, top: float, left: float
) -> tuple[int, int, int, int]:
    """Returns the first drawn box that fits in an image.

    Args:
        height: Height of the image, in pixels.
        width: Width of the image, in pixels.
        area: Drawn areas, fractions of the image's, shape `(ATTEMPTS,)`.
        aspect: Drawn aspect ratios, width / height, shape `(ATTEMPTS,)`.
        top: Drawn position as a fraction of the room above and below.
        left: Drawn position as a fraction of the room to the left and right.

    Returns:
        left, top, right, bottom in pixels. Where no drawn box fits, the largest box about the
        center whose aspect ratio is allowed.

    Example:
        >>> box(100, 100, np.array([0.25]), np.array([1.0]), top=0.0, left=0.0)
        (0, 0, 50, 50)
    """
    for drawn_area, drawn_aspect in zip(area * height * width, aspect, strict=True):
        box_width = max(1, round(math.sqrt(drawn_area * drawn_aspect)))
        box_height = max(1, round(math.sqrt(drawn_area / drawn_aspect)))
        if box_width <= width and box_height <= height:
            x = int(left * (width - box_width + 1))
            y = int(top * (height - box_height + 1))
            return x, y, x + box_width, y + box_height
    box_width = min(width, round(height * ASPECT_RANGE[1]))
    box_height = min(height, round(width / ASPECT_RANGE[0]))
    x, y = (width - box_width) // 2, (height - box_height) // 2
    return x, y, x + box_width, y + box_height


def crop(
    image: Image.Image,
    height: int,
    width: int,
    *,
    area: np.ndarray,
    aspect: np.ndarray,
    top: float,
    left: float,
    flip: bool,
) -> Image.Image:
    """Crops the drawn `box`, resizes it to height and width, and mirrors it where asked."""
    corners = box(image.height, image.width, area, aspect, top, left)
    image = image.crop(corners).resize((width, height), Image.Resampling.BILINEAR)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else image
