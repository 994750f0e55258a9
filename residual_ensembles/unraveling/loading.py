"""Networks from files, whoever wrote them, as chains."""

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import keras

from residual_ensembles.models.chain import Chain
from residual_ensembles.models.nesting import register_all
from residual_ensembles.unraveling.chain import unravel


def load(
    path: str | os.PathLike,
    boundaries: Sequence | None = None,
    modules: Sequence | None = None,
    input_shape=None,
) -> Chain:
    """Returns the network in a file as a chain; one that is a chain already as it is.

    Args:
        path: A file that `keras.Model.save` wrote.
        boundaries: As for `unravel`.
        modules: As for `unravel`.
        input_shape: As for `unravel`.

    Raises:
        ValueError: The file is not there or Keras cannot load it; or the network cannot be cut.
    """
    model = read(path)
    if isinstance(model, Chain):
        return model
    return unravel(model, boundaries=boundaries, modules=modules, input_shape=input_shape)


def read(path: str | os.PathLike) -> keras.Model:
    """Returns the network in a file, as Keras knows it.

    Args:
        path: A file that `keras.Model.save` wrote.

    Raises:
        ValueError: The file is not there or Keras cannot load it.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"Received the network {path}, which is not there.")
    register_all()
    try:
        return keras.models.load_model(path, compile=False)
    except (zipfile.BadZipFile, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"Received {path}, which Keras cannot load: {error}. A network with layers of its own "
            "is taken apart from Python, where these are known: residual_ensembles.unravel(model)."
        ) from error
