"""Chains: networks as stem, modules and head."""

import importlib
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import ops

from residual_ensembles.arguments import checked, require_instance
from residual_ensembles.models.nesting import build_once, deserialized, register_all
from residual_ensembles.models.types import Compilation


@keras.saving.register_keras_serializable("residual_ensembles")
@checked
class Chain(keras.Model):
    """A network that can be taken apart: `y_0 = stem(x)`, `y_i = module_i(y_{i-1})`, `head(y_n)`.

    Between two modules there may be a plain segment, which always runs: the output of the module at
    a position passes the segment of that position, whichever module a lesion puts there.

    Args:
        stem: Layer from the input to y_0.
        modules: The modules; `modules[0]` is module 1.
        head: Layer from y_n to the output, for instance logits `(batch, classes)`.
        input_shape: Shape of one input, without batch, for instance `(height, width, channels)`.
        segments: For each position but the last, a layer that runs between it and the next one, or
            None; by default there is none.
        **kwargs: Arguments of `keras.Model`.

    Raises:
        TypeError: The stem, the head or a module is not a layer.
        ValueError: There is no module, the number of segments is not one less than that of modules,
            or the layers' shapes do not fit one another.

    Example:
        >>> import numpy as np
        >>> from residual_ensembles import models
        >>> chain = models.build("resnet", 8, (8, 8, 1), 10, mean=[127.0], std=[64.0])
        >>> images = np.zeros((2, 8, 8, 1), "float32")
        >>> tuple(chain(images).shape), tuple(chain.without([2])(images).shape)
        ((2, 10), (2, 10))
    """

    graph: Any = None
    """The Keras graph that `unravel` cut into this chain; None for other chains."""
    probabilities = False
    """Whether the output is probabilities, as after a softmax, and not logits."""
    takes_integers = False
    """Whether all inputs are integers or booleans, with respect to which there is no gradient."""
    carries_integers = False
    """Whether what passes between modules holds integers, which must not be rounded."""
    built: bool

    def __init__(
        self,
        stem,
        modules: Sequence,
        head,
        input_shape: Sequence[int],
        segments: Sequence = (),
        **kwargs,
    ):
        # The policy of a model would round its input: each layer has a policy of its own instead.
        super().__init__(**{"dtype": "float32", **kwargs})
        if not modules:
            raise ValueError("Received no modules, expected at least one.")
        layers = {f"modules[{i}]": module for i, module in enumerate(modules)}
        for name, layer in {"stem": stem, "head": head, **layers}.items():
            require_instance(name, layer, keras.layers.Layer)
        if segments and len(segments) != len(modules) - 1:
            raise ValueError(
                f"Received {len(segments)} segments for {len(modules)} modules, expected "
                f"{len(modules) - 1}: a layer or None between each two modules."
            )
        self.stem = stem
        self.modules = list(modules)
        self.segments = list(segments)
        self.head = head
        self.image_shape = tuple(input_shape)
        try:
            self.build((None, *self.image_shape))
        except ValueError as error:
            raise ValueError(
                f"Received input_shape={self.image_shape}, which does not fit the layers: {error}"
            ) from error

    def call(self, x, gates=None, training=None):
        """Runs the network.

        Args:
            x: Input `(batch, ...)`; images are `(batch, height, width, channels)` in 0..255.
            gates: None, or `(n_modules,)` numbers 0..1 or booleans, one for each module: see
                `Module.call`.
            training: Whether batch normalization uses the statistics of the batch.

        Raises:
            ValueError: There are not as many gates as modules, a gate is negative or infinite, or
                it is between 0 and 1 for a module that takes 0 and 1 only. Values are not
                checked within compiled functions.
        """
        if gates is not None:
            gates = np.asarray(gates) if isinstance(gates, list | tuple) else gates
            _check_gates(gates, self.modules)
            if keras.backend.is_int_dtype(gates.dtype):
                gates = ops.cast(gates, "float32")
        y = self.stem(x, training=training)
        for i, (module, segment) in enumerate(zip_longest(self.modules, self.segments)):
            y = module(y, gate=None if gates is None else gates[i], training=training)
            y = y if segment is None else segment(y, training=training)
        return self.head(y, training=training)

    def build(self, input_shape):
        if self.built:
            return
        shape = build_once(self.stem, input_shape)
        self.shapes = [shape[1:]]
        for module, segment in zip_longest(self.modules, self.segments):
            shape = build_once(module, shape)
            shape = shape if segment is None else build_once(segment, shape)
            self.shapes.append(shape[1:])
        build_once(self.head, shape)
        self.built = True

    def packed_inputs(self, x):
        """Returns inputs as the stem takes them: as they are."""
        return x

    def unpacked_outputs(self, outputs):
        """Returns outputs of the head as a call of the chain returns them: as they are."""
        return outputs

    def without(self, modules: int | Iterable[int]):
        """Returns the network without some modules, to be called as the network is.

        Args:
            modules: Numbers from 1 of the modules to delete; of each, the skip is left (section
                4.1).

        Raises:
            ValueError: There is no such module, or nothing fits without it.
        """
        deleted = [modules] if isinstance(modules, int | np.integer) else list(modules)
        return _lesioned_chain(self, deleted)

    def with_lesion(self, lesion):
        """Returns the network after a lesion, to be called as the network is.

        Args:
            lesion: A `lesions.Lesion`, or its text, such as "delete 3,7; swap 4-9"; modules and
                positions are numbered from 1.

        Raises:
            ValueError: The text is not a lesion, or the network does not allow it.
        """
        return _lesioned_chain(self, lesion)

    def summary_table(self) -> pd.DataFrame:
        """Returns one row for each module.

        Returns:
            `module` (number from 1), `name`, `skip` ("identity", "projection" or "none"),
            `shape_in`, `shape_out` (without batch) and `parameters` of the residual.
        """
        rows = []
        for number, module in enumerate(self.modules, start=1):
            skip = "identity" if module.shortcut is None else "projection"
            n_parameters = sum(int(np.prod(v.shape)) for v in module.gated_variables)
            skip = skip if module.has_skip else "none"
            rows.append((number, module.title, skip, *module.shapes, n_parameters))
        columns = ["module", "name", "skip", "shape_in", "shape_out", "parameters"]
        return pd.DataFrame(rows, columns=columns)

    @property
    def input_shapes(self) -> list[tuple]:
        """Shapes of the inputs, without batch."""
        return [tuple(self.image_shape)]

    @property
    def output_shapes(self) -> list[tuple]:
        """Shapes of the outputs, without batch."""
        return [self.compute_output_shape((None, *self.image_shape))[1:]]

    @property
    def compiled_with(self) -> Compilation:
        """Loss and metrics that the unraveled model was compiled with."""
        return Compilation()

    @property
    def names_of_outputs(self) -> list[str]:
        """Names of the outputs, the keys of a dictionary of losses."""
        return ["output"]

    @property
    def segment_positions(self) -> tuple[int, ...]:
        """Positions, from 1, that a plain segment follows."""
        return tuple(i for i, s in enumerate(self.segments, start=1) if s is not None)

    @property
    def downsampling(self) -> tuple[int, ...]:
        """Numbers, from 1, of the modules that change the shape of what passes through."""
        return tuple(i for i, m in enumerate(self.modules, start=1) if not m.keeps_shape)

    def compute_output_shape(self, input_shape, **_):
        return self.head.compute_output_shape((input_shape[0], *self.shapes[-1]))

    def get_config(self):
        parts = {"stem": self.stem, "modules": self.modules, "head": self.head}
        if self.segment_positions:
            parts["segments"] = self.segments
        return {
            "name": self.name,
            "input_shape": self.image_shape,
            **{name: keras.saving.serialize_keras_object(part) for name, part in parts.items()},
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        register_all()
        names = ("stem", "modules", "head", "segments")
        return cls(**deserialized(config, *(name for name in names if name in config)))


def _lesioned_chain(chain: Chain, lesion):
    # `lesions` imports this package, and is imported when it is used.
    lesioned = importlib.import_module("residual_ensembles.lesions.lesioned")
    return lesioned.LesionedChain(chain, lesion)


def segment_of(chain: Chain, position: int):
    """Returns the segment that follows a position, from 1; None where there is none."""
    return chain.segments[position - 1] if position <= len(chain.segments) else None


def _check_gates(gates, modules: list) -> None:
    """Refuses gates that are not one for each module, or whose values are out of range."""
    shape = tuple(np.shape(gates))
    if shape not in ((len(modules),), (None,)):  # None in a compiled function that takes any number
        raise ValueError(
            f"Received gates of shape {shape}, expected ({len(modules)},): one for each module."
        )
    try:
        known = np.asarray(gates).astype("float32")
    except Exception:  # within a compiled function there are no numbers yet
        return
    for number, (gate, module) in enumerate(zip(known, modules, strict=True), start=1):
        if not 0.0 <= gate < np.inf:
            raise ValueError(
                f"Received the gate {gate:g} for module {number}, expected 0 to 1 or a boolean."
            )
        if gate not in (0.0, 1.0) and not module.scales_residual:
            why = "has a gate of its own" if module.has_skip else "has no skip"
            raise ValueError(
                f"Received the gate {gate:g} for module {number}, which {why}, expected 0 or 1: "
                "it runs, or it is deleted."
            )
