"""Vector-Jacobian products of any module, by automatic differentiation.

S and R are the Jacobians of `after` ∘ skip and of `after` ∘ residual, both at the activations of
the forward pass. Backwards, a path takes Sᵀ or Rᵀ of each module.
"""

import keras
from keras import ops

from residual_ensembles import backend


class Autodiff:
    """Forward pass and vector-Jacobian products of modules that differ in their weights only."""

    ignored: tuple[str, ...] = ()

    def __init__(self, module, training: bool):
        self.module = module
        self.training = training

    def weights(self, module) -> list:
        """Returns the variables of `module` as tensors."""
        return [ops.convert_to_tensor(v.value) for v in module.variables]

    @property
    def trainable(self) -> list[bool]:
        """Whether each of `weights` is trainable and belongs to the module, not to a segment."""
        own = {id(v) for v in self.module.own_variables}
        return [v.trainable and id(v) in own for v in self.module.variables]

    def forward(self, weights: list, y):
        """Returns the output of a module, and what `residual` and `skip` need of this batch."""
        z, _, _ = self._sum(weights, y)
        with frozen(self.module, weights):
            return self.module.after(z), (y, *weights)

    def residual(self, saved, rows: list) -> list:
        """Returns Rᵀ of each row; `saved` is the second result of `forward`."""
        y, *weights = saved
        z, pull, _ = self._sum(weights, y)
        return _pulled(rows, self._after(weights, z), pull)

    def skip(self, saved, rows: list) -> list:
        """Returns Sᵀ of each row; arguments as for `residual`."""
        y, *weights = saved
        z, _, pull = self._sum(weights, y)
        return _pulled(rows, self._after(weights, z), pull)

    def _sum(self, weights, y):
        """Returns skip + residual, and the pullbacks of the residual and of the skip."""
        module, training = self.module, self.training
        with frozen(module, weights):
            z, pull_residual = backend.vjp(lambda y: module.residual(y, training=training), y)
            if not module.has_skip:
                return z, pull_residual, None
            skipped, pull_skip = backend.vjp(lambda y: module.skip(y, training=training), y)
        return z + skipped, pull_residual, pull_skip

    def _after(self, weights, z):
        with frozen(self.module, weights):
            return backend.vjp(self.module.after, z)[1]


def frozen(layer: keras.Layer, weights: list) -> keras.StatelessScope:
    """Returns a scope in which `layer` has these weights and assigns to no variable."""
    return keras.StatelessScope(state_mapping=list(zip(layer.variables, weights, strict=True)))


def _pulled(rows: list, after, pull) -> list:
    pulled = backend.map_rows(lambda row: pull(after(row)[0])[0], ops.stack(rows))
    return ops.unstack(pulled)
