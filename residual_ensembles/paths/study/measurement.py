"""Gradients of many networks by path, in chunks that are computed side by side."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from types import MappingProxyType

import numpy as np

from residual_ensembles import models
from residual_ensembles.models.configs import architecture_of, outline
from residual_ensembles.paths import Linearization
from residual_ensembles.paths.study.gradient_chunks import (
    GradientChunk,
    NetworkSnapshot,
    chunk_bytes,
    chunks_of,
)
from residual_ensembles.paths.study.gradient_study import (
    GradientStudy,
    Measured,
    empty_results,
    skips_of,
)
from residual_ensembles.runtime.executor import Executor, Task
from residual_ensembles.runtime.result_cache import (
    CachedTask,
    ResultCache,
    kept_results,
    run_cached,
)

ENTRIES = (
    "residual_ensembles.data.prepared",
    "residual_ensembles.paths.study.measurement",
    "residual_ensembles.unraveling.keras_registration",
)
"""What reads images and takes gradients, and every class that a network may consist of."""
NOTHING_KEPT: Mapping[str, ResultCache] = MappingProxyType({})

Found = list[tuple[list[bool], dict[str, list]]]
"""What a chunk found: for each of its networks whether each module has a skip, and the rest."""


def gradient_cache(
    networks: Sequence[NetworkSnapshot], data_checksum: str, study: GradientStudy
) -> ResultCache:
    """Returns where the chunks of a network are kept until the tables are written.

    Args:
        networks: The network at each epoch.
        data_checksum: Checksum of the prepared data.
        study: Settings of the measurement.
    """
    files = [
        [hashlib.sha256(each.file.read_bytes()).hexdigest(), each.batch_norm, each.estimators]
        for each in networks
    ]
    facts = {"networks": files, "data": data_checksum, "study": asdict(study)}
    return kept_results("gradients", ENTRIES, **facts)


def measure_gradients(
    networks: Sequence[NetworkSnapshot],
    split,
    study: GradientStudy,
    executor: Executor,
    advance: Callable[[float], object],
    kept: Mapping[str, ResultCache] = NOTHING_KEPT,
) -> list[Measured]:
    """Takes the gradients of networks apart.

    Args:
        networks: Each at one epoch.
        split: Where batches are drawn from.
        study: Settings of the measurement.
        executor: Runs the tasks.
        advance: Called with 1 in all for each batch of each network and estimator.
        kept: Where the finished chunks of a network are, by its title; by default nowhere.

    Returns:
        What was found of each network.
    """
    epochs: dict[str, list[NetworkSnapshot]] = {}
    for each in networks:
        epochs.setdefault(each.title, []).append(each)
    files = {title: [n.file.read_bytes() for n in each] for title, each in epochs.items()}
    chunks, memory_bytes, known = [], 0, {}
    for title, each in epochs.items():
        chain = outline(each[0].file, files[title][0], known)
        own = list(chunks_of(study, each, chain))
        chunks += own
        memory_bytes = max(memory_bytes, chunk_bytes(study, chain, own))
    # What is sampled takes longest and goes first.
    chunks.sort(key=lambda chunk: chunk.estimator != "sampled")
    content = {title: executor.scatter(each) for title, each in files.items()}

    def arguments(chunk: GradientChunk) -> tuple:
        title = chunk.network_title
        which = [(epochs[title].index(n), n.batch_norm) for n in chunk.networks]
        batches = [(index, *study.batch(split, index)) for index in chunk.batches]
        how = which, chunk.estimator, batches, chunk.lengths, chunk.share
        return (study, content[title], *how)

    def cached(chunk: GradientChunk) -> CachedTask:
        cache = kept.get(chunk.network_title, ResultCache())
        task = Task(chunk.title, compute, partial(arguments, chunk))
        n_steps = chunk.share * len(chunk.batches) * len(chunk.networks)
        return CachedTask(chunk.name, cache, task, n_steps)

    results = run_cached(list(map(cached, chunks)), executor, advance, memory_bytes=memory_bytes)
    result: dict[NetworkSnapshot, list] = {network: [] for network in networks}
    for chunk, of_chunk in zip(chunks, results, strict=True):
        for network, of_network in zip(chunk.networks, of_chunk, strict=True):
            result[network].append(of_network)
    return [_joined(network, result[network], study.batches) for network in networks]


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
    """Computes one chunk.

    Args:
        study: Settings of the measurement.
        files: Content of the network's file at each epoch.
        which: Place of a file, and "inference" or "training" for batch normalization, for each
            epoch that the chunk is about.
        estimator: "exact" or "sampled".
        batches: Index, images and labels of each.
        lengths: Lengths of sampled paths, in modules.
        share: What to advance by after each batch.
        advance: Called with it.

    Returns:
        For each of `which`, whether each module has a skip, and what was found.
    """
    results = []
    for place, batch_norm in which:
        ready, result = _ready(files[place]), empty_results()
        chain, linearization = ready.chain, ready.linearization(batch_norm)
        for index, images, labels in batches:
            point = linearization.linearize(images, labels)
            if estimator == "exact":
                study.add_exact(point, chain, result)
            else:
                result["sampled"].append(study.sampled(point, chain, index, lengths))
            advance(share)
        results.append((skips_of(chain), result))
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
    network: NetworkSnapshot, chunks: list[tuple[list[bool], dict[str, list]]], n_batches: int
) -> Measured:
    """Returns what the chunks of one network found, in the order of batches and lengths."""
    skips, joined = chunks[0][0], empty_results()
    for _, result in chunks:
        for name, batches in result.items():
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
