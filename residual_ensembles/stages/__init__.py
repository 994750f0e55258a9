"""What a study does with its networks, whoever composed it: DVC's stages or a program alone."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
