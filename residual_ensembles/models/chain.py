"""The one interface: a network as stem, modules and head."""

from itertools import zip_longest

import keras
import numpy as np

from residual_ensembles.models.nesting import build_once, deserialized, register_all


@keras.saving.register_keras_serializable("residual_ensembles")
class Chain(keras.Model):
    """A network that can be taken apart: `y_0 = stem(x)`, `y_i = module_i(y_{i-1})`, `head(y_n)`.

    Between two modules there may be a plain segment, which always runs: what leaves the module that
    stands at a position passes the segment of that position, whatever a lesion puts there.

    Args:
        stem: Layer from the input to y_0.
        modules: The modules; `modules[0]` is what people call module 1.
        head: Layer from y_n to the output, for instance logits `(batch, classes)`.
        input_shape: Shape of one input, without batch, for instance `(height, width, channels)`.
        segments: For each position but the last, a layer that runs between it and the next one, or
            None; by default there is none.
        **kwargs: As for `keras.Model`.

    Raises:
        ValueError: There is no module, there are not as many segments as places between modules, or
            the layers' shapes do not fit one another.
    """

    graph = None
    """The Keras graph that `unravel` cut it from, if it did."""
    probabilities = False
    """Whether the output is probabilities, as after a softmax, and not logits."""
    whole_numbers_travel = False
    """Whether what passes between modules holds whole numbers, which must not be rounded."""

    def __init__(self, stem, modules, head, input_shape, segments=(), **kwargs):
        # The policy of a model would round its input: each layer has a policy of its own instead.
        super().__init__(**{"dtype": "float32", **kwargs})
        if not modules:
            raise ValueError("Received no modules, expected at least one.")
        if segments and len(segments) != len(modules) - 1:
            raise ValueError(
                f"Received {len(segments)} segments for {len(modules)} modules, expected "
                f"{len(modules) - 1}: a layer or None between each two modules."
            )
        self.stem = stem
        self.modules = list(modules)
        self.segments = list(segments)
        self.head = head
        self.picture_shape = tuple(input_shape)
        self.build((None, *self.picture_shape))

    def call(self, x, gates=None, training=None):
        """Runs the network.

        Args:
            x: Input `(batch, ...)`; pictures are `(batch, height, width, channels)` in 0..255.
            gates: None, or `(n_modules,)` numbers 0..1 or booleans, one for each module: see
                `Module.call`.
            training: Whether batch normalisation uses the statistics of the batch.

        Raises:
            ValueError: There are not as many gates as modules, or one is none, as far as it is
                known.
        """
        if gates is not None:
            _check_gates(gates, self.modules)
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
        """Returns what the head puts out as a call of the chain returns it: as it is."""
        return outputs

    @property
    def output_shapes(self) -> list[tuple]:
        """Shapes of what it puts out, without batch."""
        return [self.compute_output_shape((None, *self.picture_shape))[1:]]

    @property
    def between(self) -> tuple[int, ...]:
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
        if self.between:
            parts["segments"] = self.segments
        return {
            "name": self.name,
            "input_shape": self.picture_shape,
            **{name: keras.saving.serialize_keras_object(part) for name, part in parts.items()},
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        register_all()
        names = ("stem", "modules", "head", "segments")
        return cls(**deserialized(config, *(name for name in names if name in config)))


def segment_of(chain, position: int):
    """Returns what always runs after the module at a position, from 1; None for nothing.

    Args:
        chain: The network.
        position: Of the module.
    """
    return chain.segments[position - 1] if position <= len(chain.segments) else None


def _check_gates(gates, modules) -> None:
    """Refuses gates that are not one for each module, or are known and no share of a residual."""
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
        if gate not in (0.0, 1.0) and not module.has_skip:
            raise ValueError(
                f"Received the gate {gate:g} for module {number}, which has no skip, expected 0 or "
                "1: it runs, or what enters leaves."
            )
