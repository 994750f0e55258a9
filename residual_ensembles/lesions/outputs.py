"""Outputs of a network after each lesion, some examples at a time."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from residual_ensembles.arguments import checked, shown
from residual_ensembles.lesions.engine.evaluator import SweepSpec, WorkerSweep, check_finite
from residual_ensembles.lesions.engine.grid import MEMORY_BYTES, Grid
from residual_ensembles.lesions.engine.lesion_groups import affordable_images
from residual_ensembles.lesions.engine.scheduler import Meter, Scheduler
from residual_ensembles.lesions.evaluation import Sweep, compare_with_reference
from residual_ensembles.lesions.lesion import Lesion
from residual_ensembles.lesions.sweep_settings import SweepSettings
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.targets import first_not_finite
from residual_ensembles.runtime.executor import Executor, Serial, Task, ignore
from residual_ensembles.runtime.result_cache import CachedTask, ResultCache, run_cached

OUTPUT_PRECISIONS = ("float32", "bfloat16")
MEMORY_PER_OUTPUTS = 4
"""The memory is this many times what outputs may take, at least; a segmentation map is large."""


@checked
def outputs_of(
    chain: Chain,
    lesions: Sequence[Lesion],
    inputs: Any,
    *,
    precision: str = "float32",
    memory_bytes: int = MEMORY_BYTES,
    batch_size: int | None = None,
    seed: int = 0,
    executor: Executor | None = None,
    progress: Callable[[float], object] = ignore,
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields the outputs of all lesions for one slice of the examples after another.

    Args:
        chain: The network; nothing about it changes.
        lesions: Lesions that it allows.
        inputs: As `chain.packed_inputs` returns them: an array, or anything with a length that
            returns one for a slice.
        precision: "float32" or "bfloat16".
        memory_bytes: Memory for activations, in each process.
        batch_size: Rows in a batch, each one example after one lesion; None for as many as are
            fast.
        seed: Seed of the sample that is compared with the network itself.
        executor: Runs the tasks; None for this process, with the threads that it has.
        progress: Called with the number of outputs that were made since the last call.

    Yields:
        Slice of the examples, and their outputs `(n_lesions, n_examples, numbers)` in float32.

    Raises:
        ValueError: The network does not allow one of the lesions, there are none, there are no
            inputs or of another shape, there is no such precision, or the memory is too small for a
            single one.
        ArithmeticError: Outputs of a sample differ from those of the network itself, or some are
            NaN or infinite.

    Example:
        >>> import numpy as np
        >>> from residual_ensembles import models
        >>> chain = models.build("resnet", 14, (8, 8, 1), 10, mean=[127.0], std=[64.0])
        >>> images = np.zeros((3, 8, 8, 1), "uint8")
        >>> lesions = [Lesion(), Lesion(deletions=[2])]
        >>> [outputs.shape for some, outputs in outputs_of(chain, lesions, images)]
        [(2, 3, 10)]
    """
    if precision not in OUTPUT_PRECISIONS:
        raise ValueError(
            f"Received precision={shown(precision)} for outputs that are no classes, expected one "
            f"of {', '.join(OUTPUT_PRECISIONS)}."
        )
    settings = SweepSettings(precision, None, memory_bytes, batch_size, seed)
    sweep = Sweep(chain, lesions, inputs, settings)
    executor = executor or Serial()
    compare_with_reference([sweep], Scheduler(executor))
    spec, no_cache = executor.scatter(sweep.spec), ResultCache()

    def task(some: slice) -> CachedTask:
        title = f"{chain.name}: outputs of examples {some.start + 1}-{some.stop}"
        n = len(lesions) * (some.stop - some.start)
        outputs = Task(title, compute, lambda: (spec, np.asarray(inputs[some]), precision, n))
        return CachedTask(title, no_cache, outputs, n)

    numbers = chain.compute_output_shape((None, *chain.image_shape))[-1]
    n_in_memory = max(1, memory_bytes // MEMORY_PER_OUTPUTS // (4 * numbers * len(lesions)))
    n_per_task = affordable_images(chain, len(lesions))
    for parts in slices_in_memory(sweep.grid, n_in_memory, n_per_task):
        tasks = map(task, parts)
        results = run_cached(list(tasks), executor, progress, memory_bytes=memory_bytes)
        for part, outputs in zip(parts, results, strict=True):
            if first_not_finite(outputs) is not None:
                bad = ~np.isfinite(outputs).all(axis=-1)
                check_finite(chain, sweep.lesions, bad, np.arange(part.start, part.stop))
            yield part, outputs[sweep.rows]


def compute(
    spec: SweepSpec | WorkerSweep,
    inputs: np.ndarray,
    precision: str,
    n: int,
    advance: Callable[[float], object],
) -> np.ndarray:
    """Returns the outputs of all lesions for some examples; advances by `n` in all."""
    meter = Meter(advance, n)
    outputs = spec.evaluator.logits(inputs, precision, progress=meter)
    meter.finish()
    return outputs


def slices_in_memory(grid: Grid, n_in_memory: int, n_per_task: int) -> Iterator[list[slice]]:
    """Yields slices of up to `n_per_task` examples, in lists of up to `n_in_memory` examples."""
    size = min(n_in_memory, n_per_task)
    parts: list[slice] = []
    for chunk in grid.chunks():
        for start in range(chunk.start, chunk.stop, size):
            part = slice(start, min(start + size, chunk.stop))
            if parts and part.stop - parts[0].start > n_in_memory:
                yield parts
                parts = []
            parts.append(part)
    yield parts
