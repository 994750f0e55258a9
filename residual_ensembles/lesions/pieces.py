"""What is finished of a sweep: written as it goes, found again after an interruption."""

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from residual_ensembles.files import read_npz, write_npz


class Pieces:
    """A folder with one file for each finished piece of a sweep.

    Args:
        folder: The folder; its name has to stand for everything that determines the results. None
            keeps nothing.
    """

    def __init__(self, folder: str | os.PathLike | None = None):
        self.folder = None if folder is None else Path(folder)
        self.n_found = 0
        """Pieces that an earlier run had finished."""

    def within(self, name: str) -> "Pieces":
        """Returns the pieces of a part of the sweep, kept in a folder of their own."""
        return Pieces(None if self.folder is None else self.folder / name)

    def get(self, name: str, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Returns a piece: read where it is finished, computed and written where it is not.

        A piece that is damaged is not finished.

        Args:
            name: Of the piece, unique within the sweep.
            compute: Returns its arrays by name.
        """
        if self.folder is None:
            return compute()
        path = self.folder / f"{name}.npz"
        if path.exists():
            with contextlib.suppress(ValueError):
                piece = read_npz(path)
                self.n_found += 1
                return piece
        piece = compute()
        write_npz(path, **piece)
        return piece

    def remove(self) -> None:
        """Removes the folder, once its results stand elsewhere."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
