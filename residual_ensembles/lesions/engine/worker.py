"""Specification of a sweep as it is sent to worker processes, and the work done there.

A network and its lesions are sent once, as a `SweepSpec`; what is asked of them is sent as
`Chunk`s: some lesions with some images.
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
    """A network, lesions of it, and how they are cut, as they are sent to where they are evaluated.

    Where it arrives the evaluator is made once, for all chunks of the sweep that come there.
    """

    chain: object
    """The network. Its weights are copied."""
    lesions: Sequence[Lesion]
    """Any that it allows."""
    n_images: int
    """Images of the whole sweep, which decide how it is cut."""
    memory_bytes: int = MEMORY_BYTES
    """What activations may take."""
    batch_size: int | None = None
    """How many of them may pass a module together; None for as many as are fast."""
    title: str = ""
    """What people call the network."""

    @cached_property
    def evaluator(self) -> Evaluator:
        """The evaluator; errors are those of its making."""
        return Evaluator(self)

    @cached_property
    def steps(self) -> list[tuple[Step, ...]]:
        """What has to be computed for each lesion, in order."""
        return self.evaluator.steps()

    def __reduce__(self):
        content = models.to_bytes(self.chain)
        rest = self.lesions, self.n_images, self.memory_bytes, self.batch_size
        name = hashlib.sha256(content + pickle.dumps(rest)).hexdigest()
        return _arrived, (name, content, rest)


class WorkerSweep:
    """A sweep's specification where chunks of it are computed; read when it is needed.

    Args:
        content: The file of the network.
        rest: What else the specification says that decides about numbers.
    """

    def __init__(self, content: bytes, rest: tuple):
        self.content = content
        self.rest = rest

    @cached_property
    def evaluator(self) -> Evaluator:
        """The evaluator; errors are those of its making."""
        with models.as_file(self.content) as path:
            return Evaluator(SweepSpec(models.load(path), *self.rest))


def _arrived(name: str, content: bytes, rest: tuple) -> WorkerSweep:
    """Returns the sweep of that name: the one that came before, or a new one."""
    if name not in _READY:
        while _READY and sum(len(s.content) for s in _READY.values()) + len(content) > READY_BYTES:
            _READY.pop(next(iter(_READY)))
        _READY[name] = WorkerSweep(content, rest)
    return _READY[name]


class Chunk(NamedTuple):
    """Some lesions with some images, computed by one task."""

    keys: tuple[str, ...]
    """What each lesion is called where results are kept."""
    lesions: np.ndarray
    """Their positions in the sweep."""
    images: np.ndarray
    """Positions."""
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
    """Computes a chunk.

    Args:
        spec: The network and all lesions of the sweep.
        images: Those of the chunk, `(n_images, height, width, channels)`.
        chunk: What is computed.
        advance: Called with the number of predictions that were made since the last call.
    """
    meter = Meter(advance, chunk.n_predictions)
    evaluator = spec.evaluator
    fields = chunk.function(evaluator, images, chunk.lesions, *chunk.options, meter)
    meter.finish()
    return ChunkResult(chunk.keys, chunk.images, fields, evaluator.peak_bytes)


class Meter:
    """Turns shares of a unit of work into predictions, no more and no fewer than there are.

    Args:
        progress: Called with a number of predictions.
        n: How many there are.
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
        """Reports what is left: rounding, or a share that was never told."""
        self._report(self.n)

    def _report(self, n: int) -> None:
        self.progress(n - self.n_reported)
        self.n_reported = n
