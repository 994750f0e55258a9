"""What a network in a file looks like, whatever its weights: the same at all epochs and seeds."""

import io
import json
import re
import zipfile
from pathlib import Path

import keras

from residual_ensembles.models.nesting import register_all

_SEED = re.compile(rb'"seed": (\d+|null)')
"""Of weights and initialisers, as it stands in an architecture; a file has weights of its own."""


def architecture_of(content: bytes) -> bytes:
    """Returns the architecture that stands in a network's file, without seeds."""
    return _SEED.sub(b'"seed"', _config(content))


def outline(file: Path, content: bytes, known: dict[bytes, object]):
    """Returns a network with any weights; the same one for the same architecture.

    Args:
        file: Where it is.
        content: What stands there; its weights take longest to read.
        known: What was returned before, by architecture.

    Raises:
        ValueError: It is no network.
    """
    register_all()
    try:
        architecture = architecture_of(content)
        if architecture not in known:
            config = json.loads(_config(content))
            known[architecture] = keras.saving.deserialize_keras_object(config)
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"Received {file}, which is not a network of this project: {error}"
        ) from error
    return known[architecture]


def _config(content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read("config.json")
