"""Networks as files: written atomically, with the same bytes for the same weights."""

import contextlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import keras

from residual_ensembles.arguments import checked, require_path
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.nesting import register_all
from residual_ensembles.storage.files import atomic_path

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date of a zip archive


@checked
def save(chain: Chain, path: str | os.PathLike) -> None:
    """Saves a network in Keras' own format.

    Keras writes the time of day into the archive; here it is left out, so that equal networks are
    equal files, and DVC sees no change where there is none.

    Args:
        chain: The network: its architecture, weights and statistics are saved.
        path: A name that ends in `.keras`.

    Example:
        >>> save(chain, "network.keras")
        >>> load("network.keras").count_params() == chain.count_params()
        True
    """
    with atomic_path(path) as temporary:
        chain.save(temporary)
        with zipfile.ZipFile(temporary) as archive:
            entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name, content in entries:
                archive.writestr(zipfile.ZipInfo(name, EPOCH), _without_date(name, content))


def _without_date(name: str, content: bytes) -> bytes:
    if name != "metadata.json":
        return content
    metadata = json.loads(content)
    metadata.pop("date_saved", None)
    return json.dumps(metadata).encode()


@checked
def load(path: str | os.PathLike) -> Chain:
    """Loads a network.

    Raises:
        ValueError: There is no such file, it is not a Keras network, or not a chain.

    Example:
        >>> save(chain, "network.keras")
        >>> len(load("network.keras").modules)
        9
    """
    register_all()
    with reading(path) as file:
        chain = keras.models.load_model(file, compile=False)
    if not isinstance(chain, Chain):
        raise ValueError(
            f"Received {path} with a {type(chain).__name__}, expected a Chain as saved by training."
        )
    return chain


@checked
def load_weights(chain: Chain, path: str | os.PathLike) -> None:
    """Sets a network's weights to those in the file of a network of the same architecture.

    Raises:
        ValueError: There is no such file, it is not a Keras network, or of another architecture.

    Example:
        >>> save(chain, "network.keras")
        >>> load_weights(chain, "network.keras")
    """
    with reading(path) as file:
        chain.load_weights(file)


@checked
def to_bytes(chain: Chain) -> bytes:
    """Returns the bytes that `save` writes, to be sent to another process.

    Example:
        >>> to_bytes(chain) == to_bytes(chain)
        True
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.keras")
        save(chain, path)
        return path.read_bytes()


@contextlib.contextmanager
def as_file(content: bytes) -> Iterator[Path]:
    """Yields a temporary file for `load` or `load_weights`, with bytes that `to_bytes` returned.

    Example:
        >>> with as_file(to_bytes(chain)) as path:
        ...     copy = load(path)
        >>> len(copy.modules)
        9
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.keras")
        path.write_bytes(content)
        yield path


@contextlib.contextmanager
def reading(path: str | os.PathLike) -> Iterator[Path]:
    """Turns any error about a file that is missing, or is not a network, into a ValueError."""
    require_path("path", path)
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"Received the network {path}, a path that is not there; train it first.")
    try:
        yield path
    except Exception as error:  # damage makes zipfile, zlib, h5py and Keras raise what they meet
        raise ValueError(
            f"Received {path}, which is not a network of this project: {error}"
        ) from error
