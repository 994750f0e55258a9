"""Lesions: what they are, plans of them, and what a network predicts after each."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
