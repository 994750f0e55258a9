"""Gradients of many networks by path, in pieces that are computed side by side.

A piece is a network at all its epochs with some batches, so that it is compiled in one process, or,
where single paths are sampled, at one epoch with one batch and some lengths: batches and paths are
functions of (seed, length, batch), so that it does not matter who computes which. Where pieces are
cut depends on the study alone.
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

BATCHES_IN_PIECE = 10
"""Batches whose gradient one piece takes apart exactly: half a minute for ResNet-110 at three
epochs and 4 pictures of 8×8, two for 16 of 32×32."""
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

    networks: tuple[Network, ...]
    """Of one title, at the epochs that it is about."""
    estimator: str
    batches: range
    lengths: np.ndarray | None
    """Of sampled paths."""
    share: float
    """By how much it advances for each batch: ranges of lengths share one."""

    @property
    def title(self) -> str:
        """What people call it."""
        epochs = ", ".join(str(network.epoch) for network in self.networks)
        lengths = "" if self.lengths is None else f", lengths {self.lengths[0]}-{self.lengths[-1]}"
        batches = f"batches {self.batches[0] + 1}-{self.batches[-1] + 1}"
        name = self.networks[0].title
        return f"{name}, epoch {epochs}: {self.estimator} gradients, {batches}{lengths}"


def cut(
    study: GradientStudy, networks: Sequence[Network], lengths: np.ndarray | None
) -> Iterator[Piece]:
    """Yields the pieces of a network.

    Args:
        study: What is measured.
        networks: The network at each epoch.
        lengths: That paths are sampled of; None where none are.
    """
    for network in networks:
        if "sampled" in network.estimators:
            n_paths = len(lengths) * study.paths_of_batch
            ranges = np.array_split(lengths, min(math.ceil(n_paths / PATHS_IN_PIECE), len(lengths)))
            for index in range(study.batches):
                for some in ranges:
                    share = 1 / len(ranges)
                    yield Piece((network,), "sampled", range(index, index + 1), some, share)
    exact = tuple(network for network in networks if "exact" in network.estimators)
    for first in range(0, study.batches if exact else 0, BATCHES_IN_PIECE):
        batches = range(first, min(first + BATCHES_IN_PIECE, study.batches))
        yield Piece(exact, "exact", batches, None, 1.0)


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
    epochs: dict[str, list[Network]] = {}
    for each in networks:
        epochs.setdefault(each.title, []).append(each)
    pieces = [p for each in epochs.values() for p in cut(study, each, _lengths(study, each))]
    # What is sampled takes longest and goes first.
    pieces.sort(key=lambda piece: piece.estimator != "sampled")
    files = {title: [n.file.read_bytes() for n in each] for title, each in epochs.items()}
    content = {title: executor.put(each) for title, each in files.items()}

    def arguments(piece: Piece) -> tuple:
        title = piece.networks[0].title
        which = [(epochs[title].index(n), n.batch_norm) for n in piece.networks]
        batches = [(index, *study.batch(part, index)) for index in piece.batches]
        how = which, piece.estimator, batches, piece.lengths, piece.share
        return (study, content[title], *how)

    tasks = [Task(piece.title, compute, partial(arguments, piece)) for piece in pieces]
    results = executor.run(tasks, advance, memory_bytes=BYTES_OF_PIECE)
    found: dict[Network, list] = {network: [] for network in networks}
    for piece, of_piece in zip(pieces, results, strict=True):
        for network, of_network in zip(piece.networks, of_piece, strict=True):
            found[network].append(of_network)
    return [_joined(network, found[network], study.batches) for network in networks]


def _lengths(study: GradientStudy, networks: Sequence[Network]) -> np.ndarray | None:
    """Returns the lengths that paths of a network are sampled of; None where they are not."""
    sampled = [network for network in networks if "sampled" in network.estimators]
    return study.lengths(models.load(sampled[0].file)) if sampled else None


def compute(
    study: GradientStudy,
    files: list[bytes],
    which: list[tuple[int, str]],
    estimator: str,
    batches: list[tuple],
    lengths: np.ndarray | None,
    share: float,
    advance: Callable[[float], object],
) -> list[tuple[list[bool], dict[str, list]]]:
    """Computes one piece.

    Args:
        study: What is measured.
        files: Content of the network's file at each epoch.
        which: Place of a file, and "inference" or "training" for batch normalisation, for each
            epoch that the piece is about.
        estimator: "exact" or "sampled".
        batches: Index, pictures and labels of each.
        lengths: Of sampled paths.
        share: What to advance by after each batch.
        advance: Called with it.

    Returns:
        For each of `which`, whether each module has a skip, and what was found.
    """
    results = []
    for place, batch_norm in which:
        ready, found = _ready(files[place]), nothing_found()
        chain, linearization = ready.chain, ready.linearization(batch_norm)
        for index, pictures, labels in batches:
            point = linearization.at(pictures, labels)
            if estimator == "exact":
                study.add_exact(point, chain, found)
            else:
                found["sampled"].append(study.sampled(point, chain, index, lengths))
            advance(share)
        results.append((skips_of(chain), found))
    return results


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


_LAST: dict[bytes, _Ready] = {}
"""The network that this process worked on last, by its architecture: other epochs of it, and other
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
            _LAST.clear()
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
