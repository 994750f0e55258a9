"""The page that compares each claim of the paper with what was measured."""

import lazy_loader

from residual_ensembles.backend import extras

extras.require("report", "jinja2", "matplotlib")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
