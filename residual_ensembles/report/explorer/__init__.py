"""The page on which a reader deletes and reorders modules of a study's networks."""

import lazy_loader

from residual_ensembles.backend import extras

extras.require("report", "jinja2")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
