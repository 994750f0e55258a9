"""Where the gradients of a network are cut into pieces, and what a piece takes in memory.

Both are functions of network and study alone.

A piece is a network at all its epochs with some batches, so that it is compiled in one process, or,
where single paths are sampled, at one epoch with one batch and some lengths: batches and paths are
functions of (seed, length, batch), so that it does not matter who computes which. Where that would
take minutes, an exact piece has fewer batches, and then fewer epochs. One batch is never cut: each
length goes through a module with what the length below it leaves there.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from residual_ensembles.gradients.study import GradientStudy
from residual_ensembles.multiply_adds import multiply_adds
from residual_ensembles.paths.sampled_paths import NUMBERS_AT_ONCE

BATCHES_IN_PIECE = 10
"""Most batches whose gradient one piece takes apart exactly: for small networks compiling is what
takes long, half a minute for ResNet-110 at three epochs and 4 pictures of 8×8."""
PIECE_MULTIPLY_ADDS = 2e12
"""Of an exact piece: tens of seconds on one core, which manages some 3 × 10¹⁰ in a second."""
PATHS_IN_PIECE = 2500
"""Sampled paths of one piece: tens of seconds for ResNet-110 and 16 pictures of 32×32."""
BYTES_PER_NUMBER = 4
"""In float32, as all gradients are taken apart."""
ROWS_AT_ONCE = 3
"""Cotangents of every length that are there together: before a module, behind it, and those at the
module whose weights are looked at."""
MAPS_OF_MODULE = 6
"""Feature maps that the way back through a module needs, of its size at most."""


class Network(NamedTuple):
    """A saved network at one epoch of its training."""

    title: str
    """The same for all its epochs."""
    epoch: int
    file: Path
    batch_norm: str
    """Statistics that batch normalisation uses; before training always those of the batch."""
    estimators: tuple[str, ...]
    """Of "exact" and "sampled"."""


@dataclass(frozen=True, eq=False)
class Piece:
    """What one task computes."""

    networks: tuple[Network, ...]
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
        """What its file is called: unique among the pieces of a network."""
        epochs = "_".join(str(network.epoch) for network in self.networks)
        lengths = "" if self.lengths is None else f"-lengths-{self.lengths[0]}-{self.lengths[-1]}"
        batches = f"batches-{self.batches[0]}-{self.batches[-1]}"
        return f"{self.estimator}-epochs-{epochs}-{batches}{lengths}"


def cut(study: GradientStudy, networks: Sequence[Network], chain) -> Iterator[Piece]:
    """Yields the pieces of a network.

    Args:
        study: What is measured.
        networks: The network at each epoch.
        chain: What it looks like at any of them.
    """
    for network in networks:
        if "sampled" in network.estimators:
            yield from _sampled(study, network, study.lengths(chain))
    exact = tuple(network for network in networks if "exact" in network.estimators)
    if exact:
        yield from _exact(study, exact, chain)


def _sampled(study: GradientStudy, network: Network, lengths: np.ndarray) -> Iterator[Piece]:
    n_paths = len(lengths) * study.paths_of_batch
    ranges = np.array_split(lengths, min(math.ceil(n_paths / PATHS_IN_PIECE), len(lengths)))
    for index in range(study.batches):
        for some in ranges:
            share = 1 / len(ranges)
            yield Piece((network,), "sampled", range(index, index + 1), some, share)


def _exact(study: GradientStudy, networks: tuple[Network, ...], chain) -> Iterator[Piece]:
    affordable = PIECE_MULTIPLY_ADDS / exact_multiply_adds(study, chain)
    n_epochs = min(max(1, int(affordable)), len(networks))
    n_batches = min(max(1, int(affordable / n_epochs)), BATCHES_IN_PIECE)
    for start in range(0, len(networks), n_epochs):
        for first in range(0, study.batches, n_batches):
            batches = range(first, min(first + n_batches, study.batches))
            yield Piece(networks[start : start + n_epochs], "exact", batches, None, 1.0)


def exact_multiply_adds(study: GradientStudy, chain) -> float:
    """Returns an estimate for one batch at one epoch: each length goes through each module once.

    Args:
        study: What is measured.
        chain: The network.
    """
    n, n_lengths = len(chain.modules), len(study.lengths(chain))
    passes = (
        min(n - i, n_lengths) * multiply_adds(module, chain.shapes[i + 1])
        for i, module in enumerate(chain.modules)
    )
    return study.batch_size * sum(passes) + 1.0


def piece_bytes(study: GradientStudy, chain, pieces: Iterable[Piece]) -> int:
    """Returns what the largest of some pieces may take in memory, beside the network.

    Args:
        study: What is measured.
        chain: The network.
        pieces: Of this network.
    """
    return max((_of_piece(study, chain, piece) for piece in pieces), default=0)


def _of_piece(study: GradientStudy, chain, piece: Piece) -> int:
    row = study.batch_size * max(map(math.prod, chain.shapes))
    point = len(chain.modules) * MAPS_OF_MODULE * row
    if piece.lengths is None:
        rows = ROWS_AT_ONCE * len(study.lengths(chain)) * row
    else:
        # Before a module and behind it.
        n_paths = len(piece.lengths) * study.paths_of_batch
        rows = 2 * max(row, min(n_paths * row, NUMBERS_AT_ONCE))
    return BYTES_PER_NUMBER * (point + rows)
