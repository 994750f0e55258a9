"""Takes residual networks apart: lesions, paths, gated training (Veit, Wilber & Belongie 2016).

Importing the package registers its layers with Keras, so that `keras.models.load_model` knows
them. The rooms are imported by name: `from residual_ensembles import models`. What is needed to
take a network of one's own apart is here: `unravel`, `lesion_study`, `worth` and `prune`.
"""

import importlib

from residual_ensembles import backend_choice
from residual_ensembles.quiet import quiet_import

__all__ = ["__version__", "lesion_study", "prune", "unravel", "worth"]
__version__ = "0.1.0"

# Where they are; those who read tables only shall not wait for them.
_PLACES = {
    "lesion_study": "residual_ensembles.lesions",
    "prune": "residual_ensembles.pruning",
    "worth": "residual_ensembles.pruning",
}

# On a backend that cannot be used, programs say so in one line and `backend` says so to importers.
if backend_choice.problem() is None:
    with quiet_import():
        from residual_ensembles import models as models
        from residual_ensembles.unraveling import unravel as unravel


def __getattr__(name: str):
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)
