"""Specification of a sweep as it is sent to worker processes, and the work done there.

A network and its lesions are sent once, as a `SweepSpec`; then `Chunk`s are: some lesions with some
images.
"""

import hashlib
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from residual_ensembles import models
from residual_ensembles.lesions.engine.evaluator import Evaluator
from residual_ensembles.lesions.engine.grid import MEMORY_BYTES
from residual_ensembles.lesions.lesion import Lesion, Step

READY_BYTES = 2**28
"""What the files of the networks that a process keeps ready may take: chunks of several sweeps take
turns, and to prepare a network anew takes as long as many images."""
_READY: dict[str, "WorkerSweep"] = {}


@dataclass(frozen=True, eq=False)
class SweepSpec:
    """A network, its lesions and their partition, as they are sent to worker processes.

    A worker makes the evaluator once, for all chunks of the sweep.
    """

    chain: object
    """The network; its weights are copied."""
    lesions: Sequence[Lesion]
    """Lesions that the network allows."""
    n_images: int
    """Images of the full sweep, which decide its partition."""
    memory_bytes: int = MEMORY_BYTES
    """What activations may take."""
    batch_size: int | None = None
    """How many activations pass a module at once; None for as many as are fast."""
    title: str = ""
    """Name of the network for people."""

    @cached_property
    def evaluator(self) -> Evaluator:
        """The evaluator; raises what making it raises."""
        return Evaluator(self)

    @cached_property
    def steps(self) -> list[tuple[Step, ...]]:
        """The steps of each lesion, in order."""
        return self.evaluator.steps()

    def __reduce__(self):
        content = models.to_bytes(self.chain)
        options = self.lesions, self.n_images, self.memory_bytes, self.batch_size
        name = hashlib.sha256(content + pickle.dumps(options)).hexdigest()
        return _received, (name, content, options)


class WorkerSweep:
    """A sweep's specification in a worker process; the network is loaded when it is needed.

    Args:
        content: Content of the network's file.
        options: Arguments of `SweepSpec` after the network.
    """

    def __init__(self, content: bytes, options: tuple):
        self.content = content
        self.options = options

    @cached_property
    def evaluator(self) -> Evaluator:
        """The evaluator; raises what making it raises."""
        with models.as_file(self.content) as path:
            return Evaluator(SweepSpec(models.load(path), *self.options))


def _received(name: str, content: bytes, options: tuple) -> WorkerSweep:
    """Returns the sweep of that name: the one that was received before, or a new one."""
    if name not in _READY:
        while _READY and sum(len(s.content) for s in _READY.values()) + len(content) > READY_BYTES:
            _READY.pop(next(iter(_READY)))
        _READY[name] = WorkerSweep(content, options)
    return _READY[name]


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

    Args:
        progress: Called with the number of predictions since the last call.
        n: Predictions of the unit.
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
