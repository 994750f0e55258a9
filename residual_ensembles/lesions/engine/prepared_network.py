"""A network prepared for inference: norms folded, modules of one shape sharing one trace."""

from collections.abc import Callable, Hashable

import numpy as np
from keras import ops

from residual_ensembles.backend.precision import compiled
from residual_ensembles.lesions.engine.folded_modules import Form, deleted_form, module_form
from residual_ensembles.lesions.engine.reference import function_of
from residual_ensembles.lesions.lesion import Step
from residual_ensembles.models.lowering import Affine, lowered

_COMPILED: dict[Hashable, Callable] = {}
"""Closed forms by key. They hold no weights, so all networks of a process share them."""


class PreparedNetwork:
    """A network compiled for inference: stem, head, and each module run or deleted.

    Our own modules become closed forms whose weights are arguments, so that preparing a deep
    network takes a trace for each *kind* of module and not for each module. Any other module, any
    that computes in less than float32 by itself, and what lies between modules are compiled as they
    are.

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
        """Changes the type where the precision is reduced; else the network's own types hold."""
        return ops.cast(y, dtype) if self.reduced else y

    def steps(self, lesion) -> tuple[Step, ...]:
        """Returns the steps to compute for a lesion, in order: see `execution_order`."""
        return tuple(step for _, step in self.execution_order(lesion))

    def execution_order(self, lesion) -> tuple[tuple[int, Step], ...]:
        """Returns the positions and the steps to compute for a lesion, in order.

        Deleted modules that are then the identity are left out, so that two lesions with the same
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
        """Returns what leaves a module, run or deleted, or a segment, `(batch, ...)`."""
        if step not in self.functions:
            self._prepare(step)
        return self.functions[step](y, self.weights[step])

    def _prepare(self, step: Step) -> None:
        form = None if step.op == "segment" else self._closed_form(step)
        if form is None:
            self.functions[step], self.weights[step] = self._as_it_is(step), ()
            return
        if form.key not in _COMPILED:
            _COMPILED[form.key] = compiled(form.function)
        self.functions[step] = _COMPILED[form.key]
        self.weights[step] = tuple(self._tensor(w) for w in form.weights)

    def _closed_form(self, step: Step) -> Form | None:
        module, known = self.chain.modules[step.module - 1], self.lowered[step.module - 1]
        if known is None or (not self.reduced and module.compute_dtype != "float32"):
            return None
        return module_form(known) if step.op == "run" else deleted_form(known)

    def _as_it_is(self, step: Step) -> Callable:
        function = function_of(self.chain, step)

        def call(y, _):
            return self._cast(function(self._cast(y, "float32"), training=False), "bfloat16")

        return compiled(call)

    def _tensor(self, weight):
        if isinstance(weight, Affine):
            return Affine(*(ops.convert_to_tensor(w.astype(np.float32)) for w in weight))
        return self._cast(ops.convert_to_tensor(weight.astype(np.float32)), "bfloat16")
