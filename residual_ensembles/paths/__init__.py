"""Paths through a network: how long they are, and how much gradient comes through them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
