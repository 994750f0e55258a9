"""Takes residual networks apart: lesions, paths, gated training (Veit, Wilber & Belongie 2016).

Here are `unravel`, `lesion_study`, `module_importance`, `prune`, `gradient_by_length`,
`sampled_path_gradients` and `plot`; all else is in subpackages: `from residual_ensembles import
models`. Everything is loaded on first use. Importing the package makes the settings that must
precede the import of TensorFlow (`backend.process`).

`keras.models.load_model` knows our layers where Keras was imported before this package, or
`residual_ensembles.unraveling.keras_registration` was; `models.load` always does.
"""

import sys

import lazy_loader

from residual_ensembles.backend import interruption, process

__version__ = "0.1.0"

if sys.argv[:1] == ["-m"]:  # `python -m` is looking for one of our programs
    interruption.exit_on_signals()

process.prepare()
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

if "keras" in sys.modules and process.problem() is None:
    from residual_ensembles.unraveling import keras_registration as keras_registration
