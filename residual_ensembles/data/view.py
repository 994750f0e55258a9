"""How a stored picture becomes what a network sees."""

import dataclasses

from PIL import Image

from residual_ensembles.data.augmentation import Augmentation
from residual_ensembles.data.centre_crop import centre_crop


@dataclasses.dataclass(frozen=True)
class View:
    """What all parts of a prepared data set share.

    Args:
        picture_shape: `(height, width, channels)` of what the network sees.
        shorter_side: What evaluation brings the shorter side to before it cuts out the centre, in
            pixels; None where stored pictures have the right size already.
        augmentation: What training varies.
        mean: Mean of the train part per channel, in 0..255.
    """

    picture_shape: tuple[int, int, int]
    shorter_side: int | None
    augmentation: Augmentation
    mean: tuple[float, ...]

    def of_evaluation(self, image: Image.Image) -> Image.Image:
        """Returns the picture that evaluation sees."""
        height, width, _ = self.picture_shape
        if self.shorter_side is None:
            return image
        return centre_crop(image, height, width, self.shorter_side)
