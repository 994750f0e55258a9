"""A network prepared for inference: norms folded, modules of one shape sharing one trace."""

from collections.abc import Callable, Hashable

import numpy as np
from keras import ops

from residual_ensembles.backend.precision import compiled
from residual_ensembles.lesions.engine.folded_modules import FoldedModule, folded, folded_deletion
from residual_ensembles.lesions.engine.reference import function_of
from residual_ensembles.lesions.lesion import Step
from residual_ensembles.models.lowering import Affine, lowered

_COMPILED: dict[Hashable, Callable] = {}
"""Compiled functions of folded modules, by key, which all networks of a process share."""


class PreparedNetwork:
    """A network compiled for inference: stem, head, and each module run or deleted.

    Our own modules become functions whose weights are arguments, so that preparing a deep network
    takes a trace for each *kind* of module and not for each module. Any other module, any that
    computes in less than float32 by itself, and segments are compiled unchanged.

    Args:
        chain: The network. Its weights are copied here; it is not changed.
        precision: "float32", or "bfloat16" for everything between stem and head.
    """

    def __init__(self, chain, precision: str = "float32"):
        self.chain = chain
        self.reduced = precision == "bfloat16"
        self.lowered = [lowered(module) for module in chain.modules]
        self.is_identity = [
            module.is_identity_when_deleted if known is None else known.is_identity_when_deleted
            for module, known in zip(chain.modules, self.lowered, strict=True)
        ]
        self.weights: dict[Step, tuple] = {}
        self.functions: dict[Step, Callable] = {}
        self.stem = compiled(self._stem)
        self.head = compiled(
            lambda y: ops.cast(chain.head(self._cast(y, "float32"), training=False), "float32")
        )

    def _stem(self, images):
        return self._cast(self.chain.stem(images, training=False), "bfloat16")

    def _cast(self, y, dtype: str):
        """Casts where the precision is reduced; otherwise returns the tensor unchanged."""
        return ops.cast(y, dtype) if self.reduced else y

    def steps(self, lesion) -> tuple[Step, ...]:
        """Returns the steps to compute for a lesion, in order: see `execution_order`."""
        return tuple(step for _, step in self.execution_order(lesion))

    def execution_order(self, lesion) -> tuple[tuple[int, Step], ...]:
        """Returns the positions and the steps to compute for a lesion, in order.

        Modules that are the identity when deleted are left out, so that two lesions with the same
        effect have the same steps.
        """
        return tuple(
            (position, step)
            for position, step in lesion.execution_order(
                len(self.chain.modules), self.chain.segment_positions
            )
            if step.op != "deleted" or not self.is_identity[step.module - 1]
        )

    def run(self, step: Step, y):
        """Returns the output of a module, run or deleted, or of a segment, `(batch, ...)`."""
        if step not in self.functions:
            self._prepare(step)
        return self.functions[step](y, self.weights[step])

    def _prepare(self, step: Step) -> None:
        folded_module = None if step.op == "segment" else self._folded(step)
        if folded_module is None:
            self.functions[step], self.weights[step] = self._unfolded(step), ()
            return
        if folded_module.key not in _COMPILED:
            _COMPILED[folded_module.key] = compiled(folded_module.function)
        self.functions[step] = _COMPILED[folded_module.key]
        self.weights[step] = tuple(self._tensor(w) for w in folded_module.weights)

    def _folded(self, step: Step) -> FoldedModule | None:
        module, known = self.chain.modules[step.module - 1], self.lowered[step.module - 1]
        if known is None or (not self.reduced and module.compute_dtype != "float32"):
            return None
        return folded(known) if step.op == "run" else folded_deletion(known)

    def _unfolded(self, step: Step) -> Callable:
        function = function_of(self.chain, step)

        def call(y, _):
            return self._cast(function(self._cast(y, "float32"), training=False), "bfloat16")

        return compiled(call)

    def _tensor(self, weight):
        if isinstance(weight, Affine):
            return Affine(*(ops.convert_to_tensor(w.astype(np.float32)) for w in weight))
        return self._cast(ops.convert_to_tensor(weight.astype(np.float32)), "bfloat16")
