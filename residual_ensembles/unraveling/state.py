"""State between the modules of a chain: the tensors that pass there, packed into one."""

import math
from collections.abc import Collection, Sequence

from keras import ops

from residual_ensembles.models import _keras_internals

PACKED = "float32"
"""Type of a packed tensor, whatever the types of the tensors in it."""
LARGEST_INTEGER = 2**24
"""Largest integer up to which all are exact in float32."""


class State:
    """Layout of the stream, the tensor that modules act on, and of tensors that are carried along.

    A single tensor is not changed. Several are flattened and concatenated for each example, so
    that code which splits, joins or measures examples need not know of them. Integers and booleans
    are exact in float32 up to 2^24.

    A tensor without batch, such as a table of relative positions, is repeated for each example.

    Args:
        shapes: Shapes of the tensors, without batch; the first is the stream.
        dtypes: Their types.
        masks: Shape of the Keras mask of each of them, without batch; None for none.
        common: Indices of tensors without batch, never of the first.
        flat: Whether a single tensor is flattened too, as outputs are.
    """

    def __init__(
        self,
        shapes: Sequence[tuple],
        dtypes: Sequence[str],
        masks: Sequence[tuple | None],
        common: Collection[int] = (),
        flat: bool = False,
    ):
        self.shapes = list(shapes)
        self.dtypes = list(dtypes)
        self.masks = list(masks)
        self.common = frozenset(common)
        self.parts = [*self.shapes, *(shape for shape in self.masks if shape is not None)]
        self.is_single = len(self.parts) == 1 and (len(self.shapes[0]) == 1 or not flat)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the packed tensor, without batch."""
        if self.is_single:
            return tuple(self.shapes[0])
        return (sum(map(math.prod, self.parts)),)

    @property
    def has_integers(self) -> bool:
        """Whether a tensor or mask in it is not of floats, and must not be rounded."""
        masked = any(shape is not None for shape in self.masks)
        return masked or not all(dtype.startswith(("float", "bfloat")) for dtype in self.dtypes)

    def packed(self, tensors: Sequence):
        """Returns tensors packed into one."""
        if self.is_single:
            return tensors[0]
        masks = [
            _keras_internals.get_mask(x)
            for x, shape in zip(tensors, self.masks, strict=True)
            if shape is not None
        ]
        flat = [
            ops.reshape(ops.cast(x, PACKED), (-1, math.prod(shape)))
            for x, shape in zip([*tensors, *masks], self.parts, strict=True)
        ]
        for i in self.common:
            flat[i] = ops.tile(flat[i], (ops.shape(flat[0])[0], 1))
        return ops.concatenate(flat, axis=1)

    def with_stream(self, stream, state):
        """Returns `state` with another stream, of the same shape or another one."""
        if self.is_single:
            return stream
        flat = ops.reshape(ops.cast(stream, PACKED), (-1, math.prod(stream.shape[1:])))
        return ops.concatenate([flat, state[:, math.prod(self.shapes[0]) :]], axis=1)

    def unpacked(self, state) -> list:
        """Returns the tensors of a state."""
        if self.is_single:
            return [state]
        parts, first = [], 0
        for i, shape in enumerate(self.parts):
            size = math.prod(shape)
            part = state[:, first : first + size]
            is_common = i in self.common
            parts.append(
                ops.reshape(part[:1], shape) if is_common else ops.reshape(part, (-1, *shape))
            )
            first += size
        masks = iter(parts[len(self.shapes) :])
        tensors = []
        for x, dtype, mask in zip(parts, self.dtypes, self.masks, strict=False):
            tensor = ops.cast(x, dtype)
            if mask is not None:
                _keras_internals.set_mask(tensor, ops.cast(next(masks), "bool"))
            tensors.append(tensor)
        return tensors
