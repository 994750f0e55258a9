"""Momentum SGD as in the paper, for gated modules, and its learning-rate schedules."""

import contextlib

import keras
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from residual_ensembles.arguments import checked

# He et al. (2016b, section 3.1).
MOMENTUM = 0.9


@checked
class GatedSGD(keras.optimizers.SGD):
    """`m ← 0.9 m − rate · (gradient + λ w)`, `w ← w + m`, for the modules whose gate is open.

    Args:
        learning_rate: A number or a schedule.
        l2: λ, the weight decay of the paper (1e-4): a term of the gradient, as in Torch, of every
            weight. Keras' own `weight_decay` is the decoupled kind, about ten times weaker with
            this momentum.
        gates_of: For each trainable variable, in the model's order, the position (from 0) of the
            module whose residual alone uses it, or None.

    A module that did not run keeps its weights and its momentum. Keras' own optimizers let momentum
    and weight decay move its weights.
    """

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule,
        l2: float,
        gates_of: list[int | None],
    ):
        super().__init__(learning_rate=learning_rate, momentum=MOMENTUM)
        self.l2 = l2
        self.gates_of = gates_of
        self._gates = None

    @contextlib.contextmanager
    def gated(self, gates):
        """Gates the updates made inside: `gates` `(n_modules,)` says which modules ran."""
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


# The paper trains as He et al. (2016b, section 3.1): a tenth of the rate for the first 400 steps.
PAPER_WARMUP_STEPS = 400
# A run too short for that (the paper's has 63,960 steps) warms up for this share of its steps.
SHORT_WARMUP_SHARE = 0.1


def paper(learning_rate: float, total_steps: int):
    """A tenth of the rate at first; the rate; a tenth and a hundredth of it from half and from 3/4.

    He et al. (2016b, section 3.1): 0.01 for 400 steps, then 0.1, divided by ten at 32,000 and at
    48,000 of 64,000 steps.
    """
    warmup = min(PAPER_WARMUP_STEPS, round(SHORT_WARMUP_SHARE * total_steps))
    boundaries = [warmup, total_steps // 2, total_steps * 3 // 4]
    return piecewise(learning_rate, boundaries, [0.1, 1.0, 0.1, 0.01])


def imagenet(learning_rate: float, total_steps: int):
    """The rate, a tenth and a hundredth of it from one third and from two thirds.

    He et al. (2016b, appendix): divided by ten at epochs 30 and 60 of 90, without a warm-up.
    """
    boundaries = [total_steps // 3, total_steps * 2 // 3]
    return piecewise(learning_rate, boundaries, [1.0, 0.1, 0.01])


def cosine(learning_rate: float, total_steps: int):
    """Linear warm-up for a tenth of the steps, then cosine decay to zero."""
    warmup = max(1, round(SHORT_WARMUP_SHARE * total_steps))
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, total_steps - warmup),
        warmup_target=learning_rate,
        warmup_steps=warmup,
    )


def piecewise(learning_rate: float, boundaries: list[int], factors: list[float]):
    """A constant rate before each boundary; Keras would count the boundary itself to it."""
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        [b - 1 for b in boundaries], [f * learning_rate for f in factors]
    )


SCHEDULES = {"paper": paper, "cosine": cosine, "imagenet": imagenet}
