"""Logits of many lesions, by walks through the tree of what they share.

A `SweepSpec` says which; it is sent to a worker process once, and makes its `Evaluator` there.
"""

import hashlib
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from residual_ensembles import models
from residual_ensembles.lesions.constraints import check_lesion
from residual_ensembles.lesions.engine.grid import MEMORY_BYTES, grid
from residual_ensembles.lesions.engine.prepared_network import PreparedNetwork
from residual_ensembles.lesions.engine.tree import Tree
from residual_ensembles.lesions.engine.walk import Walk
from residual_ensembles.lesions.lesion import Lesion, Step
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.targets import first_not_finite

MAX_KEPT_BYTES = 2**28
"""Size of the network files of all sweeps that a worker keeps, at most: chunks of several sweeps
alternate, and preparing a network again takes as long as many images."""
_KEPT: dict[str, "WorkerSweep"] = {}
NOT_FINITE = -2
"""Prediction from logits of which one is NaN or infinite."""


def predicted(logits: np.ndarray) -> np.ndarray:
    """Returns the class of the largest logit, int32 `(...,)` of `(..., classes)`, or NOT_FINITE."""
    classes = logits.argmax(axis=-1).astype(np.int32)
    if first_not_finite(logits) is not None:
        classes[~np.isfinite(logits).all(axis=-1)] = NOT_FINITE
    return classes


def check_finite(
    chain: Chain,
    lesions: Sequence[Lesion],
    bad: np.ndarray,
    examples: Sequence[int] | np.ndarray | None = None,
) -> None:
    """Refuses outputs that are NaN or infinite, and names the first example and its lesion.

    Rows of `bad` are lesions, columns the examples at positions `examples`, by default all of them.
    """
    if not bad.any():
        return
    column, lesion = np.argwhere(bad.T)[0]
    example = column if examples is None else examples[column]
    raise ArithmeticError(
        f"{chain.name} outputs NaN or infinity for example {example} (counted from 0) after the "
        f"lesion {str(lesions[lesion])!r}, expected outputs that are finite: look for inputs that "
        "are not, for weights that have grown beyond all bounds, or leave the lesion out."
    )


class Evaluator:
    """A network and its lesions, prepared to be evaluated on one chunk of images after another."""

    def __init__(self, spec: "SweepSpec"):
        chain = spec.chain
        for lesion in spec.lesions:
            check_lesion(lesion, chain)
        self.chain = chain
        self.lesions = list(spec.lesions)
        self.memory_bytes = spec.memory_bytes
        shapes = [*chain.shapes, *(shape for module in chain.modules for shape in module.shapes)]
        row_bytes = 4 * max(int(np.prod(shape)) for shape in shapes)  # float32
        self.grid = grid(spec.n_images, row_bytes, spec.memory_bytes, spec.batch_size)
        self.networks: dict[str, PreparedNetwork] = {}
        self.peak_bytes = 0
        """Largest memory of the activations of a walk."""

    def network(self, precision: str) -> PreparedNetwork:
        """Returns the network prepared for one precision, "float32" or "bfloat16"."""
        if precision not in self.networks:
            self.networks[precision] = PreparedNetwork(self.chain, precision)
        return self.networks[precision]

    def steps(self) -> list[tuple[Step, ...]]:
        """Returns what has to be computed for each lesion, in order."""
        network = self.network("float32")
        return [network.steps(lesion) for lesion in self.lesions]

    def logits(
        self,
        images: np.ndarray,
        precision: str = "float32",
        wanted: np.ndarray | None = None,
        lesions: Sequence[int] | np.ndarray | None = None,
        progress: Callable[[float], None] = lambda share: None,
    ) -> np.ndarray:
        """Returns float32 logits `(n_lesions, n_images, n_classes)`.

        Args:
            images: `(n_images, height, width, channels)`, no more than fit in a chunk.
            precision: "float32" or "bfloat16".
            wanted: Booleans `(n_lesions, n_images)`: which logits are needed; None for all.
            lesions: Positions of the lesions to evaluate. None for all.
            progress: Called with the share of the work that was done since the last call.

        Returns:
            NaN where logits were not wanted.
        """
        chosen = self.lesions if lesions is None else [self.lesions[i] for i in lesions]
        network = self.network(precision)
        orders = [network.execution_order(lesion) for lesion in chosen]
        steps = [[step for _, step in order] for order in orders]
        tree = Tree(steps, [[depth for depth, _ in order] for order in orders])
        n_classes = self.chain.compute_output_shape((None, *self.chain.image_shape))[-1]
        logits = np.full((len(chosen), len(images), n_classes), np.nan, np.float32)
        needed = None if wanted is None else tree.needed(wanted)
        n_rows = (tree.n_nodes - 1) * len(images) if needed is None else int(needed[1:].sum())

        def store(lesion, positions, rows):
            logits[lesion, positions] = rows

        def count(rows):
            progress(rows / n_rows)

        walk = Walk(network, tree, self.grid.batch_sizes, self.memory_bytes, store, count)
        walk(images, needed)
        self.peak_bytes = max(self.peak_bytes, walk.peak_bytes)
        return logits


@dataclass(frozen=True, eq=False)
class SweepSpec:
    """A network, its lesions and their partition, as they are sent to worker processes.

    A worker makes the evaluator once, for all chunks of the sweep.
    """

    chain: models.Chain
    """The network; its weights are copied."""
    lesions: Sequence[Lesion]
    """Lesions that the network allows."""
    n_images: int
    """Number of images of the sweep, on which its partition into chunks depends."""
    memory_bytes: int = MEMORY_BYTES
    """Memory for activations."""
    batch_size: int | None = None
    """Rows in a batch, each one image after one lesion; None for as many as are fast."""
    title: str = ""
    """Display name of the network."""

    @cached_property
    def evaluator(self) -> Evaluator:
        """The evaluator; its errors are those of `Evaluator`."""
        return Evaluator(self)

    @cached_property
    def steps(self) -> list[tuple[Step, ...]]:
        """The steps of each lesion, in order."""
        return self.evaluator.steps()

    def __reduce__(self):
        content = models.to_bytes(self.chain)
        options = self.lesions, self.n_images, self.memory_bytes, self.batch_size
        name = hashlib.sha256(content + pickle.dumps(options)).hexdigest()
        return _received, (name, content, options)


class WorkerSweep:
    """A `SweepSpec` as a worker receives it; the network is loaded when it is needed."""

    def __init__(self, content: bytes, options: tuple):
        self.content = content
        self.options = options

    @cached_property
    def evaluator(self) -> Evaluator:
        """The evaluator; its errors are those of `Evaluator`."""
        with models.as_file(self.content) as path:
            return Evaluator(SweepSpec(models.load(path), *self.options))


def _received(name: str, content: bytes, options: tuple) -> WorkerSweep:
    """Returns the sweep of a name, which is the digest of its content; it is made once."""
    if name not in _KEPT:
        while _KEPT and sum(len(s.content) for s in _KEPT.values()) + len(content) > MAX_KEPT_BYTES:
            _KEPT.pop(next(iter(_KEPT)))
        _KEPT[name] = WorkerSweep(content, options)
    return _KEPT[name]
