from .augmentation import Augmentation, draw_augmentation
from .draws import order
from .kept import prepared_once
from .pad_crop import crop_and_flip
from .part import Part
from .preparation import prepare
from .prepared import Prepared, load

__all__ = [
    "Augmentation",
    "Part",
    "Prepared",
    "crop_and_flip",
    "draw_augmentation",
    "load",
    "order",
    "prepare",
    "prepared_once",
]
