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
from .lesions import lesion_study
from .pruning import prune, worth
from .unraveling import unravel

__version__: str
__all__ = [
    "analysis",
    "backend",
    "data",
    "explorer",
    "figures",
    "gradients",
    "lesion_study",
    "lesions",
    "models",
    "paths",
    "prune",
    "pruning",
    "report",
    "runtime",
    "training",
    "unravel",
    "unraveling",
    "worth",
]
