"""Takes residual networks apart: lesions, paths, gated training (Veit, Wilber & Belongie 2016).

What is needed to take a network of one's own apart is here: `unravel`, `lesion_study`, `worth` and
`prune`; everything else is imported by the name of its room: `from residual_ensembles import
models`. Nothing is loaded before it is used, and importing the package sets what counts only
before TensorFlow is imported (`backend.process`).
"""

import importlib

from residual_ensembles.backend import process

process.prepare()

__all__ = ["__version__", "lesion_study", "prune", "unravel", "worth"]
__version__ = "0.1.0"

_PLACES = {
    "lesion_study": "residual_ensembles.lesions",
    "prune": "residual_ensembles.pruning",
    "unravel": "residual_ensembles.unraveling",
    "worth": "residual_ensembles.pruning",
}


def __getattr__(name: str):
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)
