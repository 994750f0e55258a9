"""Momentum SGD as in the paper, which leaves the modules alone that did not run."""

import contextlib

import keras
from keras import ops

from residual_ensembles.arguments import require_number

# He et al. (2016b, section 3.1).
MOMENTUM = 0.9


class GatedSGD(keras.optimizers.SGD):
    """`m ← 0.9 m − rate · (gradient + λ w)`, `w ← w + m`, for the modules whose gate is open.

    Args:
        learning_rate: A number or a schedule.
        l2: λ, the weight decay of the paper (1e-4): a term of the gradient, as in Torch, of every
            weight. Keras' own `weight_decay` is the decoupled kind, about ten times weaker with
            this momentum.
        gates_of: For each trainable variable, in the model's order, the position (from 0) of the
            module whose residual alone uses it, or None.

    A module that did not run keeps its weights and its momentum as they are: it was not there. The
    other choice, which Keras makes by itself, lets momentum and weight decay go on moving weights
    that nothing has been learnt about.
    """

    def __init__(self, learning_rate, l2: float, gates_of: list[int | None]):
        require_number("l2", l2)
        super().__init__(learning_rate=learning_rate, momentum=MOMENTUM)
        self.l2 = l2
        self.gates_of = gates_of
        self._gates = None

    @contextlib.contextmanager
    def gated(self, gates):
        """For the updates made inside, `gates` `(n_modules,)` says which modules ran."""
        self._gates = gates
        try:
            yield
        finally:
            self._gates = None

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        momentum = self.momentums[index]
        before = ops.convert_to_tensor(momentum)
        velocity = self.momentum * before - learning_rate * (gradient + self.l2 * variable)
        position = self.gates_of[index]
        if self._gates is None or position is None:
            self.assign(momentum, velocity)
            self.assign_add(variable, velocity)
            return
        ran = self._gates[position] > 0
        self.assign(momentum, ops.where(ran, velocity, before))
        self.assign_add(variable, ops.where(ran, velocity, ops.zeros_like(velocity)))
