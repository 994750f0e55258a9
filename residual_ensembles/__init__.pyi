from . import (
    analysis,
    backend,
    data,
    figures,
    lesions,
    models,
    paths,
    pruning,
    report,
    runtime,
    statistics,
    training,
    unraveling,
)
from .figures import plot
from .lesions import Lesion, lesion_study
from .paths import gradient_by_length, sampled_path_gradients
from .pruning import module_importance, prune
from .unraveling import unravel

__version__: str

__all__ = [
    "Lesion",
    "analysis",
    "backend",
    "data",
    "figures",
    "gradient_by_length",
    "lesion_study",
    "lesions",
    "models",
    "module_importance",
    "paths",
    "plot",
    "prune",
    "pruning",
    "report",
    "runtime",
    "sampled_path_gradients",
    "statistics",
    "training",
    "unravel",
    "unraveling",
]
