"""Settings of a training run, validated at once."""

from pydantic import ValidationError, model_validator

from residual_ensembles.models.architectures import architecture, n_modules
from residual_ensembles.parameters import TrainedNetwork, TrainParameters, one_line, parameter
from residual_ensembles.training.gating import Gating


class Settings(TrainParameters, TrainedNetwork):
    """Settings of a training run: the network's own parameters, and those of `train`.

    Raises:
        ValueError: A value is out of range, or values do not fit each other.

    Example:
        >>> Settings(depth=20, epochs=2).schedule
        'cosine'
    """

    seed: int = parameter(0, "seed of weights, order, augmentation and gates", ge=0)

    def __init__(self, **values):
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ValueError(one_line(type(self), error)) from None

    @model_validator(mode="after")
    def _network_can_be_trained(self):
        n_modules(self.model, self.depth)
        known = architecture(self.model)
        if self.gating != "none" and (known.has_gates or not known.has_skips):
            what = "module with its own gate" if known.has_gates else "layer without a skip"
            raise ValueError(
                f"Received gating={self.gating} for model={self.model}, expected none: a {what} "
                "cannot be left out in training."
            )
        _ = self.gating_scheme
        return self

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
        """Parameters of this kind of network alone."""
        return {name: getattr(self, name) for name in architecture(self.model).options}

    def as_dict(self) -> dict:
        """Returns the settings as plain values."""
        return self.model_dump(mode="json")
