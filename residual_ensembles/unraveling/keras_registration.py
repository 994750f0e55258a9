"""Every class of ours that stands in a network's file, registered with Keras by being imported.

Keras finds a class by its registered name, and imports no module to look for it. What reads a
network sees to it that this is imported.
"""

from residual_ensembles.models.batch_norm import BatchNormalization
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.highway import HighwayModule
from residual_ensembles.models.module import Module
from residual_ensembles.models.preactivation import Preactivation
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
