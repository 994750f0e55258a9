"""Anyone's Keras network as a chain: its graph is cut where a branch is added back."""

from residual_ensembles.unraveling.chain import UnraveledChain
from residual_ensembles.unraveling.loading import load
from residual_ensembles.unraveling.unravel import unravel

__all__ = ["UnraveledChain", "load", "unravel"]
