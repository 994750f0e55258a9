"""Gradients of many networks by path, in pieces that are computed side by side.

A piece is a network at one epoch with some batches, or, where single paths are sampled, with one
batch and some lengths: batches and paths are functions of (seed, length, batch), so that it does
not matter who computes which. Where pieces are cut depends on the study alone.
"""

import io
import math
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from residual_ensembles import models
from residual_ensembles.executor import Executor, Task
from residual_ensembles.gradient_study import GradientStudy, Measured, nothing_found, skips_of
from residual_ensembles.paths import Linearization
from residual_ensembles.paths.sampled import NUMBERS_AT_ONCE

BATCHES_IN_PIECE = 5
"""Batches whose gradient one piece takes apart exactly: tens of seconds for ResNet-110."""
PATHS_IN_PIECE = 2500
"""Sampled paths of one piece: tens of seconds for ResNet-110 and 16 pictures of 32×32."""

BYTES_OF_PIECE = 2 * 4 * NUMBERS_AT_ONCE
"""Cotangents that pass a module together, before it and behind."""


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


class Piece(NamedTuple):
    """What one task computes."""

    network: Network
    estimator: str
    batches: range
    lengths: np.ndarray | None
    """Of sampled paths."""
    share: float
    """By how much it advances for each batch: ranges of lengths share one."""

    @property
    def title(self) -> str:
        """What people call it."""
        lengths = "" if self.lengths is None else f", lengths {self.lengths[0]}-{self.lengths[-1]}"
        batches = f"batches {self.batches[0] + 1}-{self.batches[-1] + 1}"
        network, epoch, *_ = self.network
        return f"{network}, epoch {epoch}: {self.estimator} gradients, {batches}{lengths}"


def cut(study: GradientStudy, network: Network, lengths: np.ndarray) -> Iterator[Piece]:
    """Yields the pieces of a network; of what is sampled first, for that takes longest.

    Args:
        study: What is measured.
        network: Of which network.
        lengths: That paths are sampled of.
    """
    if "sampled" in network.estimators:
        n_paths = len(lengths) * study.paths_of_batch
        ranges = np.array_split(lengths, min(math.ceil(n_paths / PATHS_IN_PIECE), len(lengths)))
        for index in range(study.batches):
            for some in ranges:
                yield Piece(network, "sampled", range(index, index + 1), some, 1 / len(ranges))
    if "exact" in network.estimators:
        for first in range(0, study.batches, BATCHES_IN_PIECE):
            last = min(first + BATCHES_IN_PIECE, study.batches)
            yield Piece(network, "exact", range(first, last), None, 1.0)


def measure(
    networks: Sequence[Network],
    part,
    study: GradientStudy,
    executor: Executor,
    advance: Callable[[float], object],
) -> list[Measured]:
    """Takes the gradients of networks apart.

    Args:
        networks: Each at one epoch.
        part: Where batches are drawn from.
        study: What is measured.
        executor: What computes.
        advance: Called with 1 in all for each batch of each network and estimator.

    Returns:
        What was found of each network.
    """
    pieces = [p for each in networks for p in cut(study, each, _lengths(study, each))]
    pieces.sort(key=lambda piece: piece.estimator != "sampled")
    content = {each.file: executor.put(each.file.read_bytes()) for each in networks}

    def arguments(piece: Piece) -> tuple:
        batches = [(index, *study.batch(part, index)) for index in piece.batches]
        how = piece.network.batch_norm, piece.estimator, batches, piece.lengths, piece.share
        return (study, content[piece.network.file], *how)

    tasks = [Task(piece.title, compute, partial(arguments, piece)) for piece in pieces]
    results = list(
        zip(pieces, executor.run(tasks, advance, memory_bytes=BYTES_OF_PIECE), strict=True)
    )
    return [
        _joined(each, [found for piece, found in results if piece.network is each], study.batches)
        for each in networks
    ]


def _lengths(study: GradientStudy, network: Network) -> np.ndarray:
    """Returns the lengths that paths of a network are sampled of; none where they are not."""
    if "sampled" not in network.estimators:
        return np.arange(0)
    return study.lengths(models.load(network.file))


def compute(
    study: GradientStudy,
    content: bytes,
    batch_norm: str,
    estimator: str,
    batches: list[tuple],
    lengths: np.ndarray | None,
    share: float,
    advance: Callable[[float], object],
) -> tuple[list[bool], dict[str, list]]:
    """Computes one piece.

    Args:
        study: What is measured.
        content: Its file.
        batch_norm: "inference" or "training".
        estimator: "exact" or "sampled".
        batches: Index, pictures and labels of each.
        lengths: Of sampled paths.
        share: What to advance by after each batch.
        advance: Called with it.

    Returns:
        Whether each module has a skip, and what was found.
    """
    ready, found = _ready(content), nothing_found()
    chain, linearization = ready.chain, ready.linearization(batch_norm)
    for index, pictures, labels in batches:
        point = linearization.at(pictures, labels)
        if estimator == "exact":
            study.add_exact(point, chain, found)
        else:
            found["sampled"].append(study.sampled(point, chain, index, lengths))
        advance(share)
    return skips_of(chain), found


class _Ready:
    """A network that this process can work on without compiling anything again."""

    def __init__(self, chain):
        self.chain = chain
        self._linearizations: dict[str, Linearization] = {}

    def linearization(self, batch_norm: str) -> Linearization:
        """Returns the network's way with batches, made once for each mode of batch norm."""
        if batch_norm not in self._linearizations:
            self._linearizations[batch_norm] = Linearization(self.chain, batch_norm)
        return self._linearizations[batch_norm]


KEPT = 3
"""Networks that a process keeps ready: pieces of one and of another come in turns."""
_LAST: dict[bytes, _Ready] = {}
"""Networks that this process worked on last, by their architecture: other epochs of one, and other
seeds, are other weights."""
_SEED = re.compile(rb'"seed": (\d+|null)')
"""Of weights and initialisers, as it stands in an architecture; a file has weights of its own."""


def _ready(content: bytes) -> _Ready:
    """Returns a network in float32 with the weights of a file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        architecture = _SEED.sub(b'"seed"', archive.read("config.json"))
    with models.as_file(content) as file:
        if architecture in _LAST:
            models.load_weights(_LAST[architecture].chain, file)
        else:
            while len(_LAST) >= KEPT:
                _LAST.pop(next(iter(_LAST)))
            _LAST[architecture] = _Ready(models.in_float32(models.load(file)))
    return _LAST[architecture]


def _joined(
    network: Network, pieces: list[tuple[list[bool], dict[str, list]]], n_batches: int
) -> Measured:
    """Returns what the pieces of one network found, in the order of batches and lengths."""
    skips, joined = pieces[0][0], nothing_found()
    for _, found in pieces:
        for name, batches in found.items():
            joined[name] += batches
    # The ranges of lengths of one batch come one after the other, and each batch has as many.
    n_ranges = max(1, len(joined["sampled"]) // max(1, n_batches))
    joined["sampled"] = [
        tuple(np.concatenate(column) for column in zip(*ranges, strict=True))
        for ranges in (
            joined["sampled"][i : i + n_ranges] for i in range(0, len(joined["sampled"]), n_ranges)
        )
    ]
    return Measured(network.epoch, network.batch_norm, skips, joined)
