"""Takes residual networks apart: lesions, paths, gated training (Veit, Wilber & Belongie 2016).

Importing the package registers its layers with Keras, so that `keras.models.load_model` knows
them. The rooms are imported by name: `from residual_ensembles import models`.
"""

from residual_ensembles import backend_choice
from residual_ensembles.quiet import quiet_import

__all__ = ["__version__"]
__version__ = "0.1.0"

# On a backend that cannot be used, programs say so in one line and `backend` says so to importers.
if backend_choice.problem() is None:
    with quiet_import():
        from residual_ensembles import models as models
