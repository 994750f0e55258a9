"""What is finished of a study: written as it goes, found again after an interruption."""

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np

from residual_ensembles.storage.files import read_npz, write_npz


class Pieces:
    """A folder with one file for each finished piece.

    Args:
        folder: The folder; its name has to stand for everything that determines the results. None
            keeps nothing.
    """

    def __init__(self, folder: str | os.PathLike | None = None):
        self.folder = None if folder is None else Path(folder)
        self.n_found = 0
        """Pieces that an earlier run had finished."""

    def within(self, name: str) -> "Pieces":
        """Returns the pieces of a part, kept in a folder of their own."""
        return Pieces(None if self.folder is None else self.folder / name)

    def find(self, name: str) -> dict[str, np.ndarray] | None:
        """Returns a piece that is finished; None for one that is not, or is damaged.

        Args:
            name: Of the piece, unique within the folder.
        """
        path = None if self.folder is None else self.folder / f"{name}.npz"
        if path is not None and path.exists():
            with contextlib.suppress(ValueError):
                piece = read_npz(path)
                self.n_found += 1
                return piece
        return None

    def keep(self, name: str, piece: dict[str, np.ndarray]) -> None:
        """Writes a piece that is finished.

        Args:
            name: Of the piece.
            piece: Its arrays by name.
        """
        if self.folder is not None:
            write_npz(self.folder / f"{name}.npz", **piece)

    def remove(self) -> None:
        """Removes the folder, once its results stand elsewhere."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
