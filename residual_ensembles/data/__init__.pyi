from .augmentation import Augmentation, draw_augmentation
from .epoch_draws import order
from .pad_crop import crop_and_flip
from .preparation import prepare, prepared_once
from .prepared import Prepared, load
from .split import Split

__all__ = [
    "Augmentation",
    "Prepared",
    "Split",
    "crop_and_flip",
    "draw_augmentation",
    "load",
    "order",
    "prepare",
    "prepared_once",
]
