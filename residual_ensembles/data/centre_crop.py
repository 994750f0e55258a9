"""The one view of a picture that evaluation sees."""

from PIL import Image

# ImageNet's single-crop test: shorter side 256, then the central 224 × 224 (He et al. 2016b; the
# authors' lesion study evaluates so).
SHORTER_SIDE_PER_CROP = 256 / 224


def centre_crop(image: Image.Image, height: int, width: int, shorter_side: int) -> Image.Image:
    """Resizes a picture by its shorter side and cuts out the centre.

    Args:
        image: A picture of any size.
        height: Of the result, in pixels, at most `shorter_side`.
        width: Of the result, in pixels, at most `shorter_side`.
        shorter_side: Length that the shorter side is brought to, in pixels.

    Returns:
        The picture as the network sees it in evaluation.

    Example:
        >>> centre_crop(Image.new("RGB", (500, 375)), 224, 224, shorter_side=256).size
        (224, 224)
    """
    scale = shorter_side / min(image.size)
    size = tuple(max(shorter_side, round(side * scale)) for side in image.size)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return image.crop((left, top, left + width, top + height))
