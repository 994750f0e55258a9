"""Computation of what sweeps need next, for all networks at once, where no cache has it.

Workers compute a `Chunk` at a time, some lesions with some images.

Results are kept lesion by lesion and image by image, whatever plan a lesion belonged to.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from residual_ensembles.lesions.engine.evaluator import SweepSpec, WorkerSweep
from residual_ensembles.lesions.engine.lesion_groups import groups
from residual_ensembles.runtime.executor import Executor, Task
from residual_ensembles.runtime.result_cache import CachedTask, Count, ResultCache, run_cached

MAX_NAMED = 2
"""Lesions that the name of a task lists, at most; of more, it has the first and the last."""


class Chunk(NamedTuple):
    """Some lesions on some images, computed by one task."""

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


def compute_chunk(
    spec: SweepSpec | WorkerSweep,
    images: np.ndarray,
    chunk: Chunk,
    advance: Callable[[float], object],
) -> ChunkResult:
    """Computes a chunk; `advance` is called with the number of predictions since the last call."""
    meter = Meter(advance, chunk.n_predictions)
    fields = chunk.function(spec.evaluator, images, chunk.lesions, *chunk.options, meter)
    meter.finish()
    return ChunkResult(chunk.keys, chunk.images, fields)


class Meter:
    """Turns shares of a unit of work into numbers of predictions that add up to `n`.

    `progress` is called with the number since the last call.
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


class LesionResults:
    """Arrays `(n_lesions, n_images)` by name, filled chunk by chunk.

    A cache holds the chunks of all plans that were ever evaluated under its name; their results of
    these lesions and images, which are ascending, are copied when this is made.
    """

    def __init__(
        self,
        cache: ResultCache,
        keys: Sequence[str],
        images: np.ndarray,
        dtypes: Mapping[str, type],
    ):
        self.cache = cache
        self.keys = tuple(keys)
        self.images = np.asarray(images)
        self._row = {key: i for i, key in enumerate(self.keys)}
        shape = len(self.keys), len(self.images)
        self.known = np.zeros(shape, bool)
        self.fields: dict[str, np.ndarray] = {
            name: np.zeros(shape, dtype) for name, dtype in dtypes.items()
        }
        for result in cache.results():
            self.add(result)

    def add(self, result: ChunkResult) -> None:
        """Copies the results of a chunk that are of these lesions and images."""
        theirs = [i for i, key in enumerate(result.keys) if key in self._row]
        rows = np.array([self._row[result.keys[i]] for i in theirs], int)
        columns = np.searchsorted(self.images, result.images)
        columns = np.minimum(columns, len(self.images) - 1)
        wanted = np.flatnonzero(self.images[columns] == result.images)
        here = np.ix_(rows, columns[wanted])
        for name, array in self.fields.items():
            array[here] = result.fields[name][np.ix_(np.array(theirs, int), wanted)]
        self.known[here] = True

    def missing(self, rows: np.ndarray, images: np.ndarray) -> np.ndarray:
        """Returns those of the lesions `rows` of which the result on one of `images` is missing."""
        return rows[~self.known[np.ix_(rows, self._columns(images))].all(axis=1)]

    def take(self, name: str, rows: np.ndarray, images: np.ndarray) -> np.ndarray:
        """Returns one of the arrays at positions of lesions and images, which must be known."""
        return self.fields[name][np.ix_(rows, self._columns(images))]

    def _columns(self, images: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.images, images)


class Request(NamedTuple):
    """Results that a sweep needs before it can go on."""

    spec: SweepSpec
    images: object
    """All images of the sweep: an array, or anything that returns one for a slice or positions."""
    results: LesionResults
    """The results that chunks are added to."""
    lesions: np.ndarray
    """Positions of the lesions."""
    parts: Sequence[slice | np.ndarray]
    """Positions of the images of each task."""
    function: Callable
    """Computes a chunk: see `Chunk.function`."""
    options: tuple = ()
    repeats: np.ndarray | None = None
    """How often each lesion of the sweep counts as progress: as often as it is planned; None where
    no predictions are made."""


class Scheduler:
    """Computes the requests of all sweeps as one set of tasks, so that no processor is idle early.

    `progress` is called with the number of predictions that were made since the last call, and
    `counted`, when a task is finished, with the number of finished tasks.
    """

    def __init__(
        self,
        executor: Executor,
        progress: Callable[[float], object] = lambda n_predictions: None,
        counted: Callable[[Count], object] = lambda count: None,
    ):
        self.executor = executor
        self.progress = progress
        self.counted = counted
        self._specs: dict[SweepSpec, object] = {}
        self._images: tuple = (None, None, None)

    def compute(self, requests: Sequence[Request]) -> None:
        """Computes the requested results that are missing, and adds them."""
        missing = [(each, *one) for each in requests for one in self._missing(each)]
        tasks = [
            CachedTask(
                _key(chunk), each.results.cache, self._task(each, part, chunk), chunk.n_predictions
            )
            for each, part, chunk in missing
        ]
        memory_bytes = max((each.spec.memory_bytes for each in requests), default=0)
        results = run_cached(tasks, self.executor, self.progress, self.counted, memory_bytes)
        for (each, *_), result in zip(missing, results, strict=True):
            each.results.add(result)

    def _missing(self, request: Request) -> Iterator[tuple[slice | np.ndarray, Chunk]]:
        """Yields the chunks that are not in the cache, each with the positions of its images."""
        spec, repeats = request.spec, request.repeats
        for part in request.parts:
            positions = _positions(part)
            lesions = request.results.missing(request.lesions, positions)
            if repeats is not None:
                n_known = repeats[request.lesions].sum() - repeats[lesions].sum()
                self.progress(int(n_known) * len(positions))
            if not len(lesions):
                continue
            for group in groups(spec.chain, spec.steps, lesions, len(positions)):
                keys = tuple(request.results.keys[i] for i in group)
                n = 0 if repeats is None else int(repeats[group].sum()) * len(positions)
                yield part, Chunk(keys, group, positions, request.function, request.options, n)

    def _task(self, request: Request, part: slice | np.ndarray, chunk: Chunk) -> Task:
        def arguments() -> tuple:
            return self._spec(request.spec), self._part(request.images, part), chunk

        return Task(_title(request.spec, chunk), compute_chunk, arguments)

    def _spec(self, spec: SweepSpec) -> object:
        """Returns a reference to a network and its lesions, which are sent once."""
        if spec not in self._specs:
            self._specs[spec] = self.executor.scatter(spec)
        return self._specs[spec]

    def _part(self, images, part: slice | np.ndarray) -> object:
        """Returns a reference to images, which consecutive chunks share."""
        if self._images[0] is not images or self._images[1] is not part:
            self._images = images, part, self.executor.scatter(np.asarray(images[part]))
        return self._images[2]


def _positions(part: slice | np.ndarray) -> np.ndarray:
    return np.arange(part.start, part.stop) if isinstance(part, slice) else part


def _key(chunk: Chunk) -> str:
    """Returns the name of a chunk in a cache: a function of its lesions and images."""
    digest = hashlib.sha256("\n".join(chunk.keys).encode())
    digest.update(np.asarray(chunk.images, "<i8").tobytes())
    return digest.hexdigest()[:32]


def _title(spec: SweepSpec, chunk: Chunk) -> str:
    names = [str(spec.lesions[i]) for i in chunk.lesions]
    if len(names) <= MAX_NAMED:
        lesions = ", ".join(names)
    else:
        lesions = f"{len(names)} lesions from {names[0]!r} to {names[-1]!r}"
    return f"{spec.title}, {len(chunk.images)} images: {lesions}"
