"""Where the gradients of a network are cut into chunks, and what a chunk takes in memory.

Both are functions of network and study alone.

A chunk is a network at all its epochs with some batches, so that it is compiled in one process, or,
where single paths are sampled, at one epoch with one batch and some lengths: batches and paths are
functions of (seed, length, batch), so that it does not matter who computes which. Where that would
take minutes, an exact chunk has fewer batches, and then fewer epochs. One batch is never cut: each
length goes through a module with what the length below it leaves there.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from residual_ensembles.models.module import multiply_adds
from residual_ensembles.paths.sampled_paths import NUMBERS_AT_ONCE
from residual_ensembles.paths.study.gradient_study import GradientStudy

BATCHES_IN_CHUNK = 10
"""Most batches whose gradient one chunk takes apart exactly: for small networks compiling is what
takes long, half a minute for ResNet-110 at three epochs and 4 images of 8×8."""
CHUNK_MULTIPLY_ADDS = 2e12
"""Of an exact chunk: tens of seconds on one core, which manages some 3 × 10¹⁰ in a second."""
PATHS_IN_CHUNK = 2500
"""Sampled paths of one chunk: tens of seconds for ResNet-110 and 16 images of 32×32."""
BYTES_PER_NUMBER = 4
"""In float32, as all gradients are taken apart."""
ROWS_AT_ONCE = 3
"""Cotangents of every length that are there together: before a module, behind it, and those at the
module whose weights are looked at."""
MAPS_OF_MODULE = 6
"""Feature maps that the way back through a module needs, of its size at most."""


class NetworkSnapshot(NamedTuple):
    """A saved network at one epoch of its training."""

    title: str
    """The same for all its epochs."""
    epoch: int
    file: Path
    batch_norm: str
    """Statistics that batch normalization uses; before training always those of the batch."""
    estimators: tuple[str, ...]
    """Of "exact" and "sampled"."""


@dataclass(frozen=True, eq=False)
class GradientChunk:
    """One task: which networks, batches and lengths it computes gradients of."""

    networks: tuple[NetworkSnapshot, ...]
    """Of one title, at the epochs that it is about."""
    estimator: str
    batches: range
    lengths: np.ndarray | None
    """Of sampled paths."""
    share: float
    """By how much it advances for each batch: ranges of lengths share one."""

    @property
    def network_title(self) -> str:
        """That of its networks."""
        return self.networks[0].title

    @property
    def title(self) -> str:
        """What people call it."""
        epochs = ", ".join(str(network.epoch) for network in self.networks)
        lengths = "" if self.lengths is None else f", lengths {self.lengths[0]}-{self.lengths[-1]}"
        batches = f"batches {self.batches[0] + 1}-{self.batches[-1] + 1}"
        return (
            f"{self.network_title}, epoch {epochs}: {self.estimator} gradients, {batches}{lengths}"
        )

    @property
    def name(self) -> str:
        """What its file is called: unique among the chunks of a network."""
        epochs = "_".join(str(network.epoch) for network in self.networks)
        lengths = "" if self.lengths is None else f"-lengths-{self.lengths[0]}-{self.lengths[-1]}"
        batches = f"batches-{self.batches[0]}-{self.batches[-1]}"
        return f"{self.estimator}-epochs-{epochs}-{batches}{lengths}"


def chunks_of(
    study: GradientStudy, networks: Sequence[NetworkSnapshot], chain
) -> Iterator[GradientChunk]:
    """Yields the chunks of a network.

    Args:
        study: Settings of the measurement.
        networks: The network at each epoch.
        chain: What it looks like at any of them.
    """
    for network in networks:
        if "sampled" in network.estimators:
            yield from _sampled(study, network, study.lengths(chain))
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
    """Returns an estimate for one batch at one epoch: each length goes through each module once.

    Args:
        study: Settings of the measurement.
        chain: The network.
    """
    n, n_lengths = len(chain.modules), len(study.lengths(chain))
    passes = (
        min(n - i, n_lengths) * multiply_adds(module, chain.shapes[i + 1])
        for i, module in enumerate(chain.modules)
    )
    return study.batch_size * sum(passes) + 1.0


def chunk_bytes(study: GradientStudy, chain, chunks: Iterable[GradientChunk]) -> int:
    """Returns what the largest of some chunks may take in memory, beside the network.

    Args:
        study: Settings of the measurement.
        chain: The network.
        chunks: Chunks of this network.
    """
    return max((_of_chunk(study, chain, chunk) for chunk in chunks), default=0)


def _of_chunk(study: GradientStudy, chain, chunk: GradientChunk) -> int:
    row = study.batch_size * max(map(math.prod, chain.shapes))
    point = len(chain.modules) * MAPS_OF_MODULE * row
    if chunk.lengths is None:
        rows = ROWS_AT_ONCE * len(study.lengths(chain)) * row
    else:
        # Before a module and behind it.
        n_paths = len(chunk.lengths) * study.paths_of_batch
        rows = 2 * max(row, min(n_paths * row, NUMBERS_AT_ONCE))
    return BYTES_PER_NUMBER * (point + rows)
