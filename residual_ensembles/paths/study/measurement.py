"""Path gradients of many networks, in chunks that are computed in parallel."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from types import MappingProxyType

import numpy as np

from residual_ensembles import models
from residual_ensembles.arguments import checked
from residual_ensembles.models.configs import architecture_of, untrained_network
from residual_ensembles.paths import Linearization
from residual_ensembles.paths.study.gradient_chunks import (
    GradientChunk,
    NetworkSnapshot,
    chunk_bytes,
    chunks_of,
)
from residual_ensembles.paths.study.gradient_study import (
    GradientStudy,
    SnapshotGradients,
    empty_results,
    skips_of,
)
from residual_ensembles.runtime.executor import Executor, Task
from residual_ensembles.runtime.result_cache import (
    CachedTask,
    ResultCache,
    open_cache,
    run_cached,
)

ENTRIES = (
    "residual_ensembles.data.prepared",
    "residual_ensembles.paths.study.measurement",
    "residual_ensembles.unraveling.keras_registration",
)
"""Modules whose code gradients depend on, and every class that a network may consist of."""
NO_CACHES: Mapping[str, ResultCache] = MappingProxyType({})

ChunkResult = list[tuple[list[bool], dict[str, list]]]
"""For each snapshot of a chunk, whether each module has a skip, and its `empty_results`, filled."""


@checked
def gradient_cache(
    networks: Sequence[NetworkSnapshot], data_checksum: str, study: GradientStudy
) -> ResultCache:
    """Returns the cache of the chunks of a network until the tables are written."""
    files = [
        [hashlib.sha256(each.file.read_bytes()).hexdigest(), each.batch_norm, each.estimators]
        for each in networks
    ]
    facts = {"networks": files, "data": data_checksum, "study": asdict(study)}
    return open_cache("gradients", ENTRIES, **facts)


@checked
def measure_gradients(
    networks: Sequence[NetworkSnapshot],
    split,
    study: GradientStudy,
    executor: Executor,
    advance: Callable[[float], object],
    caches: Mapping[str, ResultCache] = NO_CACHES,
) -> list[SnapshotGradients]:
    """Measures the path gradients of networks, and returns those of each snapshot.

    `advance` is called with progress, 1 for each batch of each snapshot and estimator; `caches` are
    those of the chunks of each network, by its title.
    """
    epochs: dict[str, list[NetworkSnapshot]] = {}
    for each in networks:
        epochs.setdefault(each.title, []).append(each)
    files = {title: [n.file.read_bytes() for n in each] for title, each in epochs.items()}
    chunks: list[GradientChunk] = []
    known: dict[str, models.Chain] = {}
    memory_bytes = 0
    for title, snapshots in epochs.items():
        chain = untrained_network(snapshots[0].file, files[title][0], known)
        own = list(chunks_of(study, snapshots, chain))
        chunks += own
        memory_bytes = max(memory_bytes, chunk_bytes(study, chain, own))
    # Sampled chunks take longest and go first.
    chunks.sort(key=lambda chunk: chunk.estimator != "sampled")
    content = {title: executor.scatter(each) for title, each in files.items()}

    def arguments(chunk: GradientChunk) -> tuple:
        title = chunk.network_title
        which = [(epochs[title].index(n), n.batch_norm) for n in chunk.networks]
        batches = [(index, *study.batch(split, index)) for index in chunk.batches]
        return study, content[title], which, batches, chunk.lengths, chunk.share

    def cached(chunk: GradientChunk) -> CachedTask:
        cache = caches.get(chunk.network_title, ResultCache())
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
    batches: list[tuple],
    lengths: np.ndarray | None,
    share: float,
    advance: Callable[[float], object],
) -> ChunkResult:
    """Computes one chunk.

    For each snapshot, the index of its file and the mode of batch normalization, it returns whether
    each module has a skip, and the results. Batches are index, images and labels.
    """
    results = []
    for i, batch_norm in which:
        linearization, result = _linearization(files[i], batch_norm), empty_results()
        chain = linearization.chain
        for index, images, labels in batches:
            batch = linearization.linearize(images, labels)
            if lengths is None:
                study.add_exact(batch, chain, result)
            else:
                result["sampled"].append(study.sample_paths(batch, chain, index, lengths))
            advance(share)
        results.append((skips_of(chain), result))
    return results


_LAST: dict[str, tuple[models.Chain, dict[str, Linearization]]] = {}
"""The last network of this process, by architecture: other epochs and seeds differ in weights. With
it are its linearizations by mode of batch normalization, whose compiled functions are reused."""


def _linearization(content: bytes, batch_norm: str) -> Linearization:
    """Returns the linearization of a network in float32 with the weights of a file."""
    architecture = architecture_of(content)
    with models.as_file(content) as file:
        if architecture in _LAST:
            models.load_weights(_LAST[architecture][0], file)
        else:
            _LAST.clear()
            _LAST[architecture] = models.in_float32(models.load(file)), {}
    chain, known = _LAST[architecture]
    if batch_norm not in known:
        known[batch_norm] = Linearization(chain, batch_norm)
    return known[batch_norm]


def _joined(network: NetworkSnapshot, chunks: ChunkResult, n_batches: int) -> SnapshotGradients:
    """Returns the gradients of one snapshot from its chunks, ordered by batch and length."""
    skips, joined = chunks[0][0], empty_results()
    for _, result in chunks:
        for name, batches in result.items():
            joined[name] += batches
    # Ranges of lengths of one batch are consecutive, and each batch has as many.
    n_ranges = max(1, len(joined["sampled"]) // max(1, n_batches))
    joined["sampled"] = [
        tuple(np.concatenate(column) for column in zip(*ranges, strict=True))
        for ranges in (
            joined["sampled"][i : i + n_ranges] for i in range(0, len(joined["sampled"]), n_ranges)
        )
    ]
    return SnapshotGradients(network.epoch, network.batch_norm, skips, joined)
