"""The types that the library relies on: chains, modules, and what public functions take.

`models.Chain` and what `unravel` returns fulfill `ChainLike`, their modules `ModuleLike`. Tensors
are those of the backend, `(batch, ...)`; shapes are without batch.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    import pandas as pd

Tensor = Any
"""A tensor of the backend, or a NumPy array."""
Shape = tuple[int, ...]
DType = Any
"""A dtype or a dtype policy as Keras layers take it, for instance "float32"."""
Inputs = Any
"""Inputs as `keras.Model.predict` takes them: an array, or a list or a dictionary of arrays, one
row for each example; where many are taken, also a `tf.data.Dataset` or a `keras.utils.PyDataset`,
with targets or without."""
Targets = Any
"""Targets, one for each example: class numbers `(n,)`, one-hot rows `(n, classes)`, or
whatever the loss and the metrics compare with the outputs."""
Loss = str | Callable | Sequence | Mapping
"""A loss as `keras.losses.get` takes it: a name, a `keras.losses.Loss`, or a function of (y_true,
y_pred); for several outputs also a list or a dictionary of these, one for each."""
Metric = str | Callable | Sequence
"""A metric as `keras.metrics.get` takes it: a name, a `keras.metrics.Metric` or its class, or a
function of (y_true, y_pred); where several are measured, a list of these."""


class Compilation(NamedTuple):
    """Loss and metrics that a Keras model was compiled with; empty for one that was not."""

    loss: Loss | None = None
    loss_weights: Sequence[float] | Mapping[str, float] | None = None
    metrics: tuple[Metric, ...] = ()
    """Metrics of a model with one output; those of several outputs are left out."""


@runtime_checkable
class ModuleLike(Protocol):
    """One step of a chain: `after(skip(y) + residual(y))` (section 3, equation 1)."""

    @property
    def name(self) -> str:
        """Name, unique within its chain."""

    @property
    def title(self) -> str:
        """Name of the module in tables."""

    @property
    def shapes(self) -> Sequence[Shape]:
        """Shapes of what enters and of what leaves."""

    @property
    def has_skip(self) -> bool:
        """Whether something goes around the residual; if not, there is one path only."""

    @property
    def scales_residual(self) -> bool:
        """Whether a gate between 0 and 1 scales the residual; if not, a gate is 0 or 1."""

    @property
    def is_identity_when_deleted(self) -> bool:
        """Whether it is known that what enters leaves unchanged when the module is deleted."""

    @property
    def keeps_shape(self) -> bool:
        """Whether what leaves has the shape of what enters."""

    @property
    def input_layout(self) -> tuple:
        """Equal for two modules that can change places."""

    @property
    def channel_axis(self) -> int:
        """Axis of the channels in what it acts on: 1 or -1."""

    @property
    def compute_dtype(self) -> str:
        """Type that the module computes in."""

    @property
    def variables(self) -> list:
        """Weights and statistics, with those of a segment that may follow it."""

    @property
    def own_variables(self) -> list:
        """Weights and statistics of the module itself."""

    def __call__(self, y: Tensor, *, training: bool = False) -> Tensor:
        """Returns what leaves the module."""

    def stream(self, y: Tensor) -> Tensor:
        """Returns what the module acts on, of all that enters it."""

    def output_stream(self, y: Tensor) -> Tensor:
        """Returns the same tensor of all that leaves the module."""

    def residual(self, y: Tensor, training: bool = False) -> Tensor:
        """Returns what is added to the skip."""

    def skip(self, y: Tensor, training: bool = False) -> Tensor:
        """Returns what goes around the residual."""

    def after(self, z: Tensor) -> Tensor:
        """Returns what becomes of the sum."""

    def bypass(self, y: Tensor, training: bool = False) -> Tensor:
        """Returns what stands in for the sum when the residual is deleted."""

    def deleted(self, y: Tensor, training: bool = False) -> Tensor:
        """Returns what is left of the module when its residual is deleted (section 4.1)."""


@runtime_checkable
class ChainLike(Protocol):
    """A network as stem, modules and head; `modules[0]` is what people call module 1."""

    @property
    def name(self) -> str:
        """Name of the network."""

    @property
    def stem(self) -> Any:
        """Layer from the packed input to what enters the first module."""

    @property
    def modules(self) -> Sequence[ModuleLike]:
        """The modules, in order."""

    @property
    def segments(self) -> Sequence:
        """Layers that always run between two modules, or None; empty where there is none."""

    @property
    def head(self) -> Any:
        """Layer from what leaves the last module to the packed output, `(batch, numbers)`."""

    @property
    def image_shape(self) -> Shape:
        """Shape of one packed input."""

    @property
    def input_shapes(self) -> Sequence[Shape]:
        """Shapes of the inputs as the model takes them."""

    @property
    def output_shapes(self) -> Sequence[Shape]:
        """Shapes of the outputs as the model returns them."""

    @property
    def names_of_outputs(self) -> Sequence[str]:
        """Names of the outputs, in the order of their shapes."""

    @property
    def shapes(self) -> Sequence[Shape]:
        """Shapes of what enters each module, and the head."""

    @property
    def graph(self) -> Any:
        """The Keras graph that it was cut from; None of a network of this project."""

    @property
    def probabilities(self) -> bool:
        """Whether the output is probabilities, as after a softmax, and not logits."""

    @property
    def takes_integers(self) -> bool:
        """Whether all inputs are integers or booleans, with respect to which is no gradient."""

    @property
    def carries_integers(self) -> bool:
        """Whether what passes between modules holds integers, which must not be rounded."""

    @property
    def compiled_with(self) -> Compilation:
        """Loss and metrics of the model."""

    @property
    def segment_positions(self) -> tuple[int, ...]:
        """Positions, from 1, that a segment follows."""

    @property
    def downsampling(self) -> tuple[int, ...]:
        """Modules, from 1, that change the shape of what passes through."""

    def __call__(
        self, x: Inputs, gates: Sequence[float] | Tensor | None = None, training: bool | None = None
    ) -> Any:
        """Runs the network; see `Chain.call`."""

    def packed_inputs(self, x: Inputs) -> Tensor:
        """Returns inputs as one tensor, as the stem takes them."""

    def unpacked_outputs(self, outputs: Tensor) -> Any:
        """Returns what the head outputs, structured as the model does."""

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Returns the shape of the packed output, with batch."""

    def without(self, modules: int | Sequence[int]) -> Callable:
        """Returns the network without some modules, from 1."""

    def with_lesion(self, lesion: Any) -> Callable:
        """Returns the network after a lesion."""

    def summary_table(self) -> "pd.DataFrame":
        """Returns one row for each module."""

    def get_config(self) -> Mapping:
        """Returns what makes the same network again, but for its weights."""


def check_chain(chain: object) -> None:
    """Raises a TypeError for anything but a chain."""
    if not isinstance(chain, ChainLike):
        raise TypeError(
            f"Received chain of type {type(chain).__name__}, expected what "
            "residual_ensembles.unravel(model) or residual_ensembles.models.load(path) returns."
        )
