"""Gradients of many networks by path, in pieces that are computed side by side."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from types import MappingProxyType

import numpy as np

from residual_ensembles import models
from residual_ensembles.gradients.cut import Network, Piece, cut, piece_bytes
from residual_ensembles.gradients.study import GradientStudy, Measured, nothing_found, skips_of
from residual_ensembles.models.configs import architecture_of, outline
from residual_ensembles.paths import Linearization
from residual_ensembles.runtime.executor import Executor, Task
from residual_ensembles.runtime.result_cache import (
    CachedTask,
    ResultCache,
    kept_results,
    run_cached,
)

ENTRIES = (
    "residual_ensembles.data.prepared",
    "residual_ensembles.gradients.pieces",
    "residual_ensembles.registration",
)
"""What reads pictures and takes gradients, and every class that a network may consist of."""
NOTHING_KEPT: Mapping[str, ResultCache] = MappingProxyType({})

Found = list[tuple[list[bool], dict[str, list]]]
"""What a piece found: for each of its networks whether each module has a skip, and the rest."""


def gradient_cache(
    networks: Sequence[Network], data_checksum: str, study: GradientStudy
) -> ResultCache:
    """Returns where the pieces of a network are kept until the tables are written.

    Args:
        networks: The network at each epoch.
        data_checksum: Of the prepared data.
        study: What is measured.
    """
    files = [
        [hashlib.sha256(each.file.read_bytes()).hexdigest(), each.batch_norm, each.estimators]
        for each in networks
    ]
    facts = {"networks": files, "data": data_checksum, "study": asdict(study)}
    return kept_results("gradients", ENTRIES, **facts)


def measure(
    networks: Sequence[Network],
    part,
    study: GradientStudy,
    executor: Executor,
    advance: Callable[[float], object],
    kept: Mapping[str, ResultCache] = NOTHING_KEPT,
) -> list[Measured]:
    """Takes the gradients of networks apart.

    Args:
        networks: Each at one epoch.
        part: Where batches are drawn from.
        study: What is measured.
        executor: What computes.
        advance: Called with 1 in all for each batch of each network and estimator.
        kept: Where the finished pieces of a network are, by its title; by default nowhere.

    Returns:
        What was found of each network.
    """
    epochs: dict[str, list[Network]] = {}
    for each in networks:
        epochs.setdefault(each.title, []).append(each)
    files = {title: [n.file.read_bytes() for n in each] for title, each in epochs.items()}
    pieces, memory_bytes, known = [], 0, {}
    for title, each in epochs.items():
        chain = outline(each[0].file, files[title][0], known)
        own = list(cut(study, each, chain))
        pieces += own
        memory_bytes = max(memory_bytes, piece_bytes(study, chain, own))
    # What is sampled takes longest and goes first.
    pieces.sort(key=lambda piece: piece.estimator != "sampled")
    content = {title: executor.put(each) for title, each in files.items()}

    def arguments(piece: Piece) -> tuple:
        title = piece.network_title
        which = [(epochs[title].index(n), n.batch_norm) for n in piece.networks]
        batches = [(index, *study.batch(part, index)) for index in piece.batches]
        how = which, piece.estimator, batches, piece.lengths, piece.share
        return (study, content[title], *how)

    def cached(piece: Piece) -> CachedTask:
        cache = kept.get(piece.network_title, ResultCache())
        task = Task(piece.title, compute, partial(arguments, piece))
        n_steps = piece.share * len(piece.batches) * len(piece.networks)
        return CachedTask(piece.name, cache, task, n_steps)

    results = run_cached(list(map(cached, pieces)), executor, advance, memory_bytes=memory_bytes)
    found: dict[Network, list] = {network: [] for network in networks}
    for piece, of_piece in zip(pieces, results, strict=True):
        for network, of_network in zip(piece.networks, of_piece, strict=True):
            found[network].append(of_network)
    return [_joined(network, found[network], study.batches) for network in networks]


def compute(
    study: GradientStudy,
    files: list[bytes],
    which: list[tuple[int, str]],
    estimator: str,
    batches: list[tuple],
    lengths: np.ndarray | None,
    share: float,
    advance: Callable[[float], object],
) -> Found:
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


_LAST: dict[str, _Ready] = {}
"""The network that this process worked on last, by its architecture: other epochs of it, and other
seeds, are other weights."""


def _ready(content: bytes) -> _Ready:
    """Returns a network in float32 with the weights of a file."""
    architecture = architecture_of(content)
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
