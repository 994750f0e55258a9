from . import (
    analysis,
    backend,
    data,
    explorer,
    figures,
    gradients,
    lesions,
    models,
    paths,
    pruning,
    report,
    runtime,
    training,
    unraveling,
)
from .lesions import Lesion, lesion_study
from .paths import gradient_by_length, sampled_path_gradients
from .pruning import prune, worth
from .unraveling import unravel

__version__: str
__all__ = [
    "Lesion",
    "analysis",
    "backend",
    "data",
    "explorer",
    "figures",
    "gradient_by_length",
    "gradients",
    "lesion_study",
    "lesions",
    "models",
    "paths",
    "prune",
    "pruning",
    "report",
    "runtime",
    "sampled_path_gradients",
    "training",
    "unravel",
    "unraveling",
    "worth",
]
