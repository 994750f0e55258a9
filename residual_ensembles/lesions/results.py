"""What is known of lesions with pictures: lesion by lesion, whatever plan each was a part of."""

from collections.abc import Mapping, Sequence

import numpy as np

from residual_ensembles.lesions.worker import ChunkResult
from residual_ensembles.runtime.result_cache import ResultCache


class LesionResults:
    """Arrays `(n_lesions, n_pictures)` by name, filled chunk by chunk.

    A cache has the chunks of all plans that were ever evaluated under its name; of these the
    lesions and pictures that are wanted here are taken over when this is made.

    Args:
        cache: Where chunks are kept.
        keys: What each lesion is called there, each once.
        pictures: Positions of the pictures that are looked at, ascending.
        dtypes: Of the arrays, by name.
    """

    def __init__(
        self,
        cache: ResultCache,
        keys: Sequence[str],
        pictures: np.ndarray,
        dtypes: Mapping[str, type],
    ):
        self.cache = cache
        self.keys = tuple(keys)
        self.pictures = np.asarray(pictures)
        self.peak_bytes = 0
        """Of what was computed for it, not found: by how much the memory of a process grew."""
        self._row = {key: i for i, key in enumerate(self.keys)}
        shape = len(self.keys), len(self.pictures)
        self.known = np.zeros(shape, bool)
        self.fields = {name: np.zeros(shape, dtype) for name, dtype in dtypes.items()}
        for result in cache.results():
            self.add(result)

    def add(self, result: ChunkResult) -> None:
        """Takes over what a chunk found of these lesions with these pictures."""
        theirs = [i for i, key in enumerate(result.keys) if key in self._row]
        rows = [self._row[result.keys[i]] for i in theirs]
        columns = np.searchsorted(self.pictures, result.pictures)
        columns = np.minimum(columns, len(self.pictures) - 1)
        wanted = np.flatnonzero(self.pictures[columns] == result.pictures)
        here = np.ix_(rows, columns[wanted])
        for name, array in self.fields.items():
            array[here] = result.fields[name][np.ix_(theirs, wanted)]
        self.known[here] = True

    def missing(self, rows: np.ndarray, pictures: np.ndarray) -> np.ndarray:
        """Returns those of `rows` of which not all of some pictures are known.

        Args:
            rows: Positions of lesions.
            pictures: Positions of pictures.
        """
        return rows[~self.known[np.ix_(rows, self._columns(pictures))].all(axis=1)]

    def take(self, name: str, rows: np.ndarray, pictures: np.ndarray) -> np.ndarray:
        """Returns one of the arrays at some lesions and pictures, whose results must be known.

        Args:
            name: Of the array.
            rows: Positions of lesions.
            pictures: Positions of pictures.
        """
        return self.fields[name][np.ix_(rows, self._columns(pictures))]

    def _columns(self, pictures: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.pictures, pictures)
