"""Statistics of a study's tables, and the paper's claims decided by them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
