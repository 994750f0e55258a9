"""Registers every class of ours that a network's file may name with Keras, by importing it.

Keras finds a class by its registered name, and imports no module to look for it. Code that reads
networks imports this first: see `models.nesting.register_all`.
"""

from residual_ensembles.models.blocks import BatchNormalization, Preactivation
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.highway import HighwayModule
from residual_ensembles.models.module import Module
from residual_ensembles.models.stem_head import LayerSequence
from residual_ensembles.models.vgg import PlainModule
from residual_ensembles.unraveling.chain import UnraveledChain

__all__ = [
    "BatchNormalization",
    "Chain",
    "HighwayModule",
    "LayerSequence",
    "Module",
    "PlainModule",
    "Preactivation",
    "UnraveledChain",
]
