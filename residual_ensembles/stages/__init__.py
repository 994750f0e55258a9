"""Stages of a study of networks, for DVC's pipeline and for programs alone."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
