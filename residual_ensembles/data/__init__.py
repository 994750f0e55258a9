"""Where pictures come from: sources, the prepared format, augmentation."""

from residual_ensembles.data.augmentation import Augmentation, draw_augmentation
from residual_ensembles.data.kept import prepared_once
from residual_ensembles.data.order import order
from residual_ensembles.data.pad_crop import crop_and_flip
from residual_ensembles.data.part import Part
from residual_ensembles.data.preparation import prepare
from residual_ensembles.data.prepared import Prepared, load

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
