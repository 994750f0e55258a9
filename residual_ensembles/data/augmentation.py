"""Data augmentation of training images."""

import dataclasses

import numpy as np

from residual_ensembles.arguments import (
    checked,
    require_choice,
    require_instance,
    require_integer,
)
from residual_ensembles.data import epoch_draws, random_resized_crop

KINDS = ("none", "pad_crop", "random_resized_crop")


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """The augmentation drawn for each training image in each epoch.

    Args:
        kind: `none`; `pad_crop`, a crop of the image's own size out of the padded image
            (CIFAR-10 in the paper: padding 4 and flip); `random_resized_crop`, a box of the
            image resized to the network's input (ImageNet in He et al. 2016b).
        padding: Width of the border added on each side, in pixels, for `pad_crop`.
        flip: Whether half of the images are mirrored left to right. Digits are not.

    Raises:
        TypeError: An argument is of the wrong kind.
        ValueError: The kind is unknown, or the padding does not fit it.
    """

    kind: str = "none"
    padding: int = 0
    flip: bool = False

    def __post_init__(self):
        require_choice("kind", self.kind, KINDS)
        require_integer("padding", self.padding)
        require_instance("flip", self.flip, bool)
        if self.padding and self.kind != "pad_crop":
            raise ValueError(
                f"Received padding={self.padding} for kind={self.kind!r}, expected 0, or "
                "a positive number of pixels with 'pad_crop'."
            )
        if self.flip and self.kind == "none":
            raise ValueError(
                "Received flip with augmentation 'none'; to flip and do nothing else, use "
                "'pad_crop' with padding 0."
            )


def default_augmentation(height: int, width: int, flip: bool = True) -> Augmentation:
    """Returns the default augmentation for images of a size.

    Images that mean something else mirrored, as digits do, need `flip=False`.

    Returns:
        An eighth of the side as padding (4 at 32×32 as in the paper, 1 at 8×8), or random resized
        crops for images as large as those of ImageNet.
    """
    side = min(height, width)
    if side >= 128:
        return Augmentation("random_resized_crop", flip=flip)
    return Augmentation("pad_crop", padding=max(1, side // 8), flip=flip)


@checked
def draw_augmentation(
    augmentation: Augmentation, seed: int, epoch: int, indices: np.ndarray
) -> dict[str, np.ndarray]:
    """Draws the augmentation of each image, a function of (seed, epoch, index of the image).

    Args:
        augmentation: Kind of augmentation.
        seed: Seed of the study.
        epoch: The epoch, counted from 1.
        indices: Positions of the images in their split, shape `(batch,)`.

    Returns:
        For `none` and `pad_crop`: `top` and `left`, int32, the corner of the crop in the padded
        image, 0..2 × padding, and `flip`, bool; each of shape `(batch,)`, the arguments of
        `crop_and_flip`. For `random_resized_crop`: what `random_resized_crop.draw` returns, and
        `flip`.

    Example:
        >>> drawn = draw_augmentation(Augmentation("pad_crop", padding=4), 0, 1, np.arange(5))
        >>> {name: values.shape for name, values in drawn.items()}
        {'top': (5,), 'left': (5,), 'flip': (5,)}
    """
    require_instance("augmentation", augmentation, Augmentation)
    require_integer("seed", seed)
    require_integer("epoch", epoch)
    if augmentation.kind == "random_resized_crop":
        numbers = epoch_draws.uniform(seed, epoch, indices, 1 + random_resized_crop.N_DRAWS)
        drawn = random_resized_crop.draw(numbers[:, 1:])
    else:
        numbers = epoch_draws.uniform(seed, epoch, indices, 3)
        corners = (numbers[:, 1:] * (2 * augmentation.padding + 1)).astype(np.int32)
        drawn = {"top": corners[:, 0], "left": corners[:, 1]}
    return {**drawn, "flip": (numbers[:, 0] < 0.5) & augmentation.flip}
