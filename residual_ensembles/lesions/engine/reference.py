"""Reference implementation: the full network, once for each lesion; the engine is compared with
it."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from keras import ops

from residual_ensembles.backend.precision import compiled
from residual_ensembles.lesions.constraints import check_lesion
from residual_ensembles.lesions.lesion import Lesion, Step
from residual_ensembles.models.chain import segment_of


def evaluate_reference(
    chain, lesions: Sequence[Lesion], images: np.ndarray, batch_size: int = 128
) -> np.ndarray:
    """Returns the class that the network predicts for each image after each lesion.

    Args:
        chain: The network; nothing about it changes.
        lesions: Any lesions that it allows.
        images: `(n_images, height, width, channels)` in 0..255.
        batch_size: Images evaluated together; the last batch may have fewer.

    Returns:
        Classes as int32, `(n_lesions, n_images)`.

    Raises:
        ValueError: The network does not allow one of the lesions.
    """
    logits = reference_logits(chain, lesions, images, batch_size)
    return np.stack([each.argmax(-1) for each in logits]).astype(np.int32)


def reference_logits(
    chain, lesions: Sequence[Lesion], images: np.ndarray, batch_size: int = 128
) -> Iterable[np.ndarray]:
    """Yields float32 logits `(n_images, n_classes)` for one lesion after the other.

    Arguments and errors are those of `evaluate_reference`.
    """
    for lesion in lesions:
        check_lesion(lesion, chain)
    network = CompiledParts(chain)
    for lesion in lesions:
        yield np.concatenate(
            [
                network(lesion, images[start : start + batch_size])
                for start in range(0, len(images), batch_size)
            ]
        )


class CompiledParts:
    """A network whose stem, modules and head are each compiled once, when first needed.

    A lesion then chooses which of them a batch passes: modules that are deleted are not computed,
    and no lesion compiles anything anew.

    Args:
        chain: The network. Its weights must not change while this object is used.
        compile: What compiles a function; to run a few images, leaving it as it is is faster.
    """

    def __init__(self, chain, compile: Callable = compiled):
        self.chain = chain
        self.compile = compile
        self.stem = compile(lambda x: chain.stem(x, training=False))
        self.head = compile(lambda y: ops.cast(chain.head(y, training=False), "float32"))
        self.parts: dict = {}

    def part(self, step) -> Callable:
        """Returns the compiled function of one step."""
        if step not in self.parts:
            function = function_of(self.chain, step)
            self.parts[step] = self.compile(lambda y: function(y, training=False))
        return self.parts[step]

    def __call__(
        self, lesion: Lesion, images: np.ndarray, before: Callable = lambda y: y
    ) -> np.ndarray:
        """Returns float32 logits `(batch, n_classes)`.

        Args:
            lesion: The lesion.
            images: A batch of them.
            before: What happens to an activation before each step; nothing.
        """
        y = self.stem(ops.convert_to_tensor(images))
        for step in lesion.steps(len(self.chain.modules), self.chain.between):
            y = self.part(step)(before(y))
        return ops.convert_to_numpy(self.head(y))


def function_of(chain, step: Step) -> Callable:
    """Returns what a step does to what passes, as a function of it and of `training`."""
    if step.op == "segment":
        return segment_of(chain, step.module)
    module = chain.modules[step.module - 1]
    return module if step.op == "run" else module.deleted
