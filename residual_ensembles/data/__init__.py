"""Data: sources of images, the prepared format, augmentation."""

import lazy_loader

from residual_ensembles.backend import extras

extras.require("data", "PIL", "array_record")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
