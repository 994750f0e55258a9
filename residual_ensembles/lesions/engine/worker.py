"""Work of a worker process: a `Chunk` of a sweep, some lesions with some images."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from residual_ensembles.lesions.engine.evaluator import SweepSpec, WorkerSweep


class Chunk(NamedTuple):
    """Some lesions with some images, computed by one task."""

    keys: tuple[str, ...]
    """Name of each lesion in the cache."""
    lesions: np.ndarray
    """Their positions in the sweep."""
    images: np.ndarray
    """Positions of the images."""
    function: Callable
    """Called as `function(evaluator, images, lesions, *options, progress)`; returns arrays
    `(n_lesions, n_images)` by name."""
    options: tuple = ()
    n_predictions: int = 0
    """Predictions of the study that it makes; 0 where it makes none."""


class ChunkResult(NamedTuple):
    """Results of a chunk."""

    keys: tuple[str, ...]
    images: np.ndarray
    fields: dict[str, np.ndarray]
    """`(n_lesions, n_images)` each."""
    peak_bytes: int
    """By how much the memory of the process had grown, at most."""


def compute_chunk(
    spec: SweepSpec | WorkerSweep,
    images: np.ndarray,
    chunk: Chunk,
    advance: Callable[[float], object],
) -> ChunkResult:
    """Computes a chunk; `advance` is called with the number of predictions since the last call."""
    meter = Meter(advance, chunk.n_predictions)
    evaluator = spec.evaluator
    fields = chunk.function(evaluator, images, chunk.lesions, *chunk.options, meter)
    meter.finish()
    return ChunkResult(chunk.keys, chunk.images, fields, evaluator.peak_bytes)


class Meter:
    """Turns shares of a unit of work into numbers of predictions that add up to `n`.

    `progress` is called with the number since the last call.
    """

    def __init__(self, progress: Callable[[int], object], n: int):
        self.progress = progress
        self.n = n
        self.share = 0.0
        self.n_reported = 0

    def __call__(self, share: float) -> None:
        self.share = min(self.share + share, 1.0)
        self._report(int(self.share * self.n))

    def finish(self) -> None:
        """Reports what is left: rounding, or a share that was never reported."""
        self._report(self.n)

    def _report(self, n: int) -> None:
        self.progress(n - self.n_reported)
        self.n_reported = n
