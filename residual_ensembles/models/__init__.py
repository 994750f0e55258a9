"""What is taken apart: chains of modules, and the networks of the paper."""

from residual_ensembles.models.batch_norm import BatchNormalization
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.float32 import in_float32
from residual_ensembles.models.half_gates import half_gates, has_half_gates
from residual_ensembles.models.highway import HighwayModule, mean_openness
from residual_ensembles.models.module import Module
from residual_ensembles.models.preactivation import Preactivation
from residual_ensembles.models.registry import (
    BUILDERS,
    build,
    is_reorderable,
    lesionable,
    n_modules,
)
from residual_ensembles.models.saving import as_file, load, load_weights, save, to_bytes
from residual_ensembles.models.vgg import PlainModule

__all__ = [
    "BUILDERS",
    "BatchNormalization",
    "Chain",
    "HighwayModule",
    "Module",
    "PlainModule",
    "Preactivation",
    "as_file",
    "build",
    "half_gates",
    "has_half_gates",
    "in_float32",
    "is_reorderable",
    "lesionable",
    "load",
    "load_weights",
    "mean_openness",
    "n_modules",
    "save",
    "to_bytes",
]
