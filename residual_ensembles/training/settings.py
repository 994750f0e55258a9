"""All that a training run is told, refused at once where it cannot work."""

import math
from dataclasses import asdict, dataclass, field

from residual_ensembles.models import n_modules
from residual_ensembles.models.architectures import GATE_BIAS
from residual_ensembles.parameters import SCHEDULES, TRAINING_PRECISIONS
from residual_ensembles.training.gating import Gating


@dataclass(frozen=True)
class Settings:
    """What determines a network, besides the pictures.

    Args:
        model: "resnet", "resnet_bottleneck", "vgg" or "highway".
        depth: Layers as the papers count them.
        gating: "none", "effective_paths" or "stochastic_depth".
        modules_per_batch: Modules that run in a batch, for effective paths.
        survival_probability: Of the last module, for stochastic depth, 0 < p <= 1.
        gate_bias: Initial bias of the gates, for highway networks.
        epochs: Passes over the training part.
        batch_size: Pictures in a step.
        learning_rate: The largest, before the schedule divides it.
        schedule: "paper", "cosine" or "imagenet".
        weight_decay: λ of the L2 term of the gradient.
        seed: Of weights, order, augmentation and gates.
        precision: "float32" or "mixed_bfloat16".
        snapshots: Epochs after which the network is kept; 0 is before training.

    Raises:
        ValueError: Something in it cannot work.
    """

    model: str = "resnet"
    depth: int = 110
    gating: str = "none"
    modules_per_batch: int = 23
    survival_probability: float = 0.5
    gate_bias: float = GATE_BIAS
    epochs: int = 30
    batch_size: int = 128
    learning_rate: float = 0.1
    schedule: str = "cosine"
    weight_decay: float = 1e-4
    seed: int = 0
    precision: str = "float32"
    snapshots: tuple[int, ...] = field(default=(0,))

    def __post_init__(self):
        for name in ("depth", "modules_per_batch", "epochs", "batch_size"):
            _whole(name, getattr(self, name), 1)
        _whole("seed", self.seed, 0)
        for name in ("learning_rate", "weight_decay", "survival_probability", "gate_bias"):
            _number(name, getattr(self, name))
        if self.learning_rate <= 0:
            raise ValueError(f"Received learning_rate={self.learning_rate}, expected more than 0.")
        if self.weight_decay < 0:
            raise ValueError(f"Received weight_decay={self.weight_decay}, expected 0 or more.")
        if not 0.0 < self.survival_probability <= 1.0:
            raise ValueError(
                f"Received survival_probability={self.survival_probability}, expected 0 < p <= 1."
            )
        _one_of("schedule", self.schedule, SCHEDULES)
        _one_of("precision", self.precision, TRAINING_PRECISIONS)
        n = n_modules(self.model, self.depth)
        if self.gating != "none" and self.model in ("vgg", "highway"):
            raise ValueError(
                f"Received gating={self.gating} for model={self.model}, expected none: "
                + (
                    "a layer without a skip"
                    if self.model == "vgg"
                    else "a module with its own gate"
                )
                + " cannot be left out in training."
            )
        Gating(self.gating, n, self.modules_per_batch, self.survival_probability)
        for epoch in self.snapshots:
            _whole("snapshots", epoch, 0)
            if epoch > self.epochs:
                raise ValueError(
                    f"Received a snapshot at epoch {epoch} of {self.epochs}, expected one of them."
                )

    @property
    def gating_scheme(self) -> Gating:
        """The gating of this network's modules."""
        return Gating(
            self.gating,
            n_modules(self.model, self.depth),
            self.modules_per_batch,
            self.survival_probability,
        )

    @property
    def model_options(self) -> dict:
        """What only one kind of network is told."""
        return {"gate_bias": self.gate_bias} if self.model == "highway" else {}

    def as_dict(self) -> dict:
        """Returns the settings as plain values."""
        return {**asdict(self), "snapshots": list(self.snapshots)}


def _whole(name, value, least):
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"Received {name}={value!r}, expected a whole number, {least} or more.")


def _number(name, value):
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(
            f"Received {name}={value!r}, expected a number (YAML reads 1e-4 as text: write 1.0e-4)."
        )


def _one_of(name, value, allowed):
    if value not in allowed:
        raise ValueError(f"Received {name}={value!r}, expected one of {', '.join(allowed)}.")
