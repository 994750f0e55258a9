from .architectures import is_reorderable, n_modules, n_noncritical_modules
from .blocks import BatchNormalization, reestimate_batch_norm
from .chain import Chain
from .configs import in_float32
from .highway import HighwayModule
from .highway_twin import can_have_half_gates, half_gates
from .module import Module
from .registry import build
from .saving import as_file, load, load_weights, save, to_bytes
from .types import Compilation
from .vgg import PlainModule

__all__ = [
    "BatchNormalization",
    "Chain",
    "Compilation",
    "HighwayModule",
    "Module",
    "PlainModule",
    "as_file",
    "build",
    "can_have_half_gates",
    "half_gates",
    "in_float32",
    "is_reorderable",
    "load",
    "load_weights",
    "n_modules",
    "n_noncritical_modules",
    "reestimate_batch_norm",
    "save",
    "to_bytes",
]
