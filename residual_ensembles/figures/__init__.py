"""The paper's figures with a study's data, and a few of ours: one module per figure."""

import lazy_loader

from residual_ensembles.backend import extras

extras.require("figures", "matplotlib", "statsmodels")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
