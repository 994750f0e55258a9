"""Any Keras network as a chain: its graph is cut where a branch is added back."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
