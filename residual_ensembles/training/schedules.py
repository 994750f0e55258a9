"""How the learning rate goes over the steps."""

import keras

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
    """Up in a line for a tenth of the steps, then down to zero along a cosine."""
    warmup = max(1, round(SHORT_WARMUP_SHARE * total_steps))
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(1, total_steps - warmup),
        warmup_target=learning_rate,
        warmup_steps=warmup,
    )


def piecewise(learning_rate: float, boundaries: list[int], factors: list[float]):
    """A constant rate up to each boundary; Keras' last step with a rate is the boundary itself."""
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        [b - 1 for b in boundaries], [f * learning_rate for f in factors]
    )


SCHEDULES = {"paper": paper, "cosine": cosine, "imagenet": imagenet}
