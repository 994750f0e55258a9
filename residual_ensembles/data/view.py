"""Transformation of a stored image into the input of a network."""

import dataclasses

from PIL import Image

from residual_ensembles.data.augmentation import Augmentation

# ImageNet's single-crop test: shorter side 256, then the central 224 × 224 (He et al. 2016b; the
# authors' lesion study evaluates so).
SHORTER_SIDE_PER_CROP = 256 / 224


def center_crop(image: Image.Image, height: int, width: int, shorter_side: int) -> Image.Image:
    """Resizes an image by its shorter side and cuts out the center.

    Args:
        image: An image of any size.
        height: Height of the result, in pixels, at most `shorter_side`.
        width: Width of the result, in pixels, at most `shorter_side`.
        shorter_side: Length that the shorter side is brought to, in pixels.

    Returns:
        The image as the network sees it in evaluation.

    Example:
        >>> center_crop(Image.new("RGB", (500, 375)), 224, 224, shorter_side=256).size
        (224, 224)
    """
    scale = shorter_side / min(image.size)
    size = tuple(max(shorter_side, round(side * scale)) for side in image.size)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return image.crop((left, top, left + width, top + height))


@dataclasses.dataclass(frozen=True)
class View:
    """Properties that all splits of a prepared data set share.

    Args:
        image_shape: `(height, width, channels)` of what the network sees.
        shorter_side: What evaluation brings the shorter side to before it cuts out the center, in
            pixels; None where stored images have the right size already.
        augmentation: What training varies.
        mean: Mean of the train split per channel, in 0..255.
    """

    image_shape: tuple[int, int, int]
    shorter_side: int | None
    augmentation: Augmentation
    mean: tuple[float, ...]

    def of_evaluation(self, image: Image.Image) -> Image.Image:
        """Returns the image that evaluation sees."""
        height, width, _ = self.image_shape
        if self.shorter_side is None:
            return image
        return center_crop(image, height, width, self.shorter_side)
