"""Reference implementation, which the engine is compared with: the full network for each lesion."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from keras import ops

from residual_ensembles.arguments import checked
from residual_ensembles.backend.precision import compiled
from residual_ensembles.lesions.constraints import check_lesion
from residual_ensembles.lesions.lesion import Lesion, Step
from residual_ensembles.models.chain import Chain, segment_of
from residual_ensembles.models.examples import check_shape


@checked
def evaluate_reference(
    chain: Chain, lesions: Sequence[Lesion], images: np.ndarray, batch_size: int = 128
) -> np.ndarray:
    """Returns the class that the network predicts for each image after each lesion.

    Args:
        chain: The network; nothing about it changes.
        lesions: Lesions that the network allows.
        images: `(n_images, height, width, channels)` in 0..255.
        batch_size: Images in a batch; the last one may have fewer.

    Returns:
        Classes as int32, `(n_lesions, n_images)`.

    Raises:
        TypeError: Images are not an array.
        ValueError: Images have another shape than the network's, or it does not allow one of the
            lesions.

    Example:
        >>> evaluate_reference(chain, [Lesion(), Lesion(deletions=[2])], images).shape
        (2, 4)
    """
    if not lesions:
        raise ValueError("Received no lesions, expected at least one.")
    logits = reference_logits(chain, lesions, images, batch_size)
    return np.stack([each.argmax(-1) for each in logits]).astype(np.int32)


@checked
def reference_logits(
    chain: Chain, lesions: Sequence[Lesion], images: np.ndarray, batch_size: int = 128
) -> Iterable[np.ndarray]:
    """Yields float32 logits `(n_images, n_classes)` for one lesion after the other.

    Arguments and errors are those of `evaluate_reference`.

    Example:
        >>> [logits.shape for logits in reference_logits(chain, [Lesion(deletions=[2])], images)]
        [(4, 10)]
    """
    check_shape(chain, images, "images")
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
    and no lesion compiles anything again.

    Args:
        chain: The network; its weights must not change while this object is used.
        compile: Compiles a function. For a few images the identity is faster.
    """

    def __init__(self, chain, compile: Callable = compiled):
        self.chain = chain
        self.compile = compile
        self.stem = compile(lambda x: chain.stem(x, training=False))
        self.head = compile(lambda y: ops.cast(chain.head(y, training=False), "float32"))
        self._steps: dict[Step, Callable] = {}

    def _compiled(self, step: Step) -> Callable:
        if step not in self._steps:
            function = function_of(self.chain, step)
            self._steps[step] = self.compile(lambda y: function(y, training=False))
        return self._steps[step]

    def __call__(
        self, lesion: Lesion, images: np.ndarray, before: Callable = lambda y: y
    ) -> np.ndarray:
        """Returns float32 logits `(batch, n_classes)`; `before` is applied before each step."""
        y = self.stem(ops.convert_to_tensor(images))
        for step in lesion.steps(len(self.chain.modules), self.chain.segment_positions):
            y = self._compiled(step)(before(y))
        return ops.convert_to_numpy(self.head(y))


def function_of(chain, step: Step) -> Callable:
    """Returns the layer or method that computes a step: called `(y, training)`."""
    if step.op == "segment":
        return segment_of(chain, step.module)
    module = chain.modules[step.module - 1]
    return module if step.op == "run" else module.deleted
