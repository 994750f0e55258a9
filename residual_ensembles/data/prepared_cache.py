"""Prepared data that is found again by what it was made of."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from residual_ensembles.arguments import require_instance, require_number, require_path
from residual_ensembles.data import folder
from residual_ensembles.data.preparation import prepare
from residual_ensembles.data.prepared import Prepared, load


def prepared_once(source: str, data_dir: str | os.PathLike, validation_fraction: float) -> Prepared:
    """Returns a source's prepared data, prepared where these very images never were, or damaged.

    Args:
        source: `digits`, `tfds:NAME` or `folder:PATH`, as in `prepare`.
        data_dir: Folder in which it is kept, beside that of other sources.
        validation_fraction: As in `prepare`.

    Raises:
        TypeError: An argument is of the wrong kind.
        ValueError: The source or an argument cannot be used.
        OSError: The folder cannot be written, or the disk is full.
    """
    require_instance("source", source, str)
    require_path("data_dir", data_dir)
    require_number("validation_fraction", validation_fraction)
    kept = Path(data_dir) / _name(source, validation_fraction)
    if kept.exists():
        try:
            return load(kept)
        except ValueError as error:
            print(f"{error} This is done now.", flush=True)
    return prepare(source, kept, validation_fraction=validation_fraction, seed=0)


def _name(source: str, validation_fraction: float) -> str:
    """Returns a folder's name: for people the end of the source, for the program a digest."""
    digest = hashlib.sha256(repr((source, validation_fraction)).encode())
    kind, _, path = source.partition(":")
    if kind == "folder":
        root = Path(path).expanduser().resolve()
        folder.check_tree(root)
        for entry in _listing(root):
            digest.update(repr(entry).encode())
    end = re.sub(r"[^a-z0-9]+", "-", source.lower())[-40:].strip("-")
    return f"{end}-{digest.hexdigest()[:16]}"


def _listing(root: Path) -> Iterator[tuple[str, int, int]]:
    """Yields path, size and time of every file: what changes when images do, without reading."""
    yield str(root), 0, 0
    for parent, folders, names in os.walk(root, followlinks=True):
        folders.sort()
        for name in sorted(names):
            result = os.stat(os.path.join(parent, name))
            yield os.path.join(parent, name), result.st_size, result.st_mtime_ns
