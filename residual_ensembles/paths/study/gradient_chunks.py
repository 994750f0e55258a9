"""Chunks of the path gradients of a network, and their memory, by network and study alone.

A chunk of exact gradients is a network at all its epochs with some batches, so that it is compiled
in one process; where that would take minutes, it has fewer batches, and then fewer epochs. A chunk
of sampled paths is a network at one epoch with one batch and some lengths: batches and paths are
functions of (seed, length, batch), wherever they are computed. Exact gradients of one batch are one
chunk, as each length needs the length below it.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from residual_ensembles.models.module import multiply_adds
from residual_ensembles.paths.sampled_paths import NUMBERS_AT_ONCE
from residual_ensembles.paths.study.gradient_study import GradientStudy, lengths_of

BATCHES_IN_CHUNK = 10
"""Largest number of batches of an exact chunk: for small networks compiling dominates, half a
minute for ResNet-110 at three epochs and 4 images of 8×8."""
CHUNK_MULTIPLY_ADDS = 2e12
"""Multiply-adds of an exact chunk: tens of seconds on one core with 3 × 10¹⁰ in a second."""
PATHS_IN_CHUNK = 2500
"""Sampled paths of a chunk: tens of seconds for ResNet-110 and 16 images of 32×32."""
BYTES_PER_NUMBER = 4
"""Bytes of a float32."""
COTANGENTS_PER_LENGTH = 3
"""Cotangents of each length in memory: at the output of a module, at its input, and at the module
whose weight gradient is measured."""
MAPS_PER_MODULE = 6
"""Feature maps that the backward pass through a module needs, counted as of its largest size."""


class NetworkSnapshot(NamedTuple):
    """A saved network at one epoch of its training."""

    title: str
    """Name, the same for all epochs."""
    epoch: int
    file: Path
    batch_norm: str
    """Statistics that batch normalization uses; before training always those of the batch."""
    estimators: tuple[str, ...]
    """Estimators to measure: "exact", "sampled" or both."""


@dataclass(frozen=True, eq=False)
class GradientChunk:
    """One task: gradients of one network at some epochs, for some batches and lengths."""

    networks: tuple[NetworkSnapshot, ...]
    """Snapshots of one network."""
    estimator: str
    batches: range
    lengths: np.ndarray | None
    """Lengths of sampled paths; None for exact gradients."""
    share: float
    """Progress for each batch: 1, or a fraction where its lengths are in several chunks."""

    @property
    def network_title(self) -> str:
        """Title of its networks."""
        return self.networks[0].title

    @property
    def title(self) -> str:
        """Display name, such as in errors."""
        epochs = ", ".join(str(network.epoch) for network in self.networks)
        lengths = "" if self.lengths is None else f", lengths {self.lengths[0]}-{self.lengths[-1]}"
        batches = f"batches {self.batches[0] + 1}-{self.batches[-1] + 1}"
        return (
            f"{self.network_title}, epoch {epochs}: {self.estimator} gradients, {batches}{lengths}"
        )

    @property
    def name(self) -> str:
        """Name of its result, unique among the chunks of a network."""
        epochs = "_".join(str(network.epoch) for network in self.networks)
        lengths = "" if self.lengths is None else f"-lengths-{self.lengths[0]}-{self.lengths[-1]}"
        batches = f"batches-{self.batches[0]}-{self.batches[-1]}"
        return f"{self.estimator}-epochs-{epochs}-{batches}{lengths}"


def chunks_of(
    study: GradientStudy, networks: Sequence[NetworkSnapshot], chain
) -> Iterator[GradientChunk]:
    """Yields the chunks of a network, of which `networks` are the epochs."""
    for network in networks:
        if "sampled" in network.estimators:
            yield from _sampled(study, network, lengths_of(chain))
    exact = tuple(network for network in networks if "exact" in network.estimators)
    if exact:
        yield from _exact(study, exact, chain)


def _sampled(
    study: GradientStudy, network: NetworkSnapshot, lengths: np.ndarray
) -> Iterator[GradientChunk]:
    n_paths = len(lengths) * study.paths_of_batch
    ranges = np.array_split(lengths, min(math.ceil(n_paths / PATHS_IN_CHUNK), len(lengths)))
    for index in range(study.batches):
        for some in ranges:
            share = 1 / len(ranges)
            yield GradientChunk((network,), "sampled", range(index, index + 1), some, share)


def _exact(
    study: GradientStudy, networks: tuple[NetworkSnapshot, ...], chain
) -> Iterator[GradientChunk]:
    affordable = CHUNK_MULTIPLY_ADDS / exact_multiply_adds(study, chain)
    n_epochs = min(max(1, int(affordable)), len(networks))
    n_batches = min(max(1, int(affordable / n_epochs)), BATCHES_IN_CHUNK)
    for start in range(0, len(networks), n_epochs):
        for first in range(0, study.batches, n_batches):
            batches = range(first, min(first + n_batches, study.batches))
            yield GradientChunk(networks[start : start + n_epochs], "exact", batches, None, 1.0)


def exact_multiply_adds(study: GradientStudy, chain) -> float:
    """Returns the estimated multiply-adds of the exact gradients of one batch at one epoch."""
    n, n_lengths = len(chain.modules), len(lengths_of(chain))
    passes = (
        min(n - i, n_lengths) * multiply_adds(module, chain.shapes[i + 1])
        for i, module in enumerate(chain.modules)
    )
    return study.batch_size * sum(passes) + 1.0


def chunk_bytes(study: GradientStudy, chain, chunks: Iterable[GradientChunk]) -> int:
    """Returns the memory of the largest of some chunks, without that of the network."""
    return max((_chunk_bytes(study, chain, chunk) for chunk in chunks), default=0)


def _chunk_bytes(study: GradientStudy, chain, chunk: GradientChunk) -> int:
    row = study.batch_size * max(map(math.prod, chain.shapes))
    saved = len(chain.modules) * MAPS_PER_MODULE * row
    if chunk.lengths is None:
        rows = COTANGENTS_PER_LENGTH * len(lengths_of(chain)) * row
    else:
        # At the output and at the input of a module.
        n_paths = len(chunk.lengths) * study.paths_of_batch
        rows = 2 * max(row, min(n_paths * row, NUMBERS_AT_ONCE))
    return BYTES_PER_NUMBER * (saved + rows)
