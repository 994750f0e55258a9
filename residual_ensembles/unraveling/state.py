"""State between the modules of a chain, packed into one tensor."""

import math
from collections.abc import Collection, Sequence

import keras
from keras import ops


class State:
    """One tensor, and others that are carried along.

    Alone, a tensor passes as it is. Together, all are flat numbers of each example, one behind the
    other, so that whatever splits, joins or measures examples need not know of them. Whole numbers
    and truth values are exact in float32 up to 2^24.

    What has no batch, such as a table of relative positions, is there once for each example.

    Args:
        shapes: Shapes of the tensors, without batch; the first is the one that modules act on.
        dtypes: Their types.
        masks: Shape of the Keras mask of each of them, without batch; None for none.
        common: Places of those that have no batch, which is never the first.
    """

    def __init__(
        self,
        shapes: Sequence[tuple],
        dtypes: Sequence[str],
        masks: Sequence[tuple | None],
        common: Collection[int] = (),
    ):
        self.shapes = list(shapes)
        self.dtypes = list(dtypes)
        self.masks = list(masks)
        self.common = frozenset(common)
        self.parts = [*self.shapes, *(shape for shape in self.masks if shape is not None)]
        self.alone = len(self.parts) == 1
        self.dtype = keras.backend.result_type(*dtypes[:1], "float32")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the one tensor, without batch."""
        if self.alone:
            return tuple(self.shapes[0])
        return (sum(map(math.prod, self.parts)),)

    @property
    def has_integers(self) -> bool:
        """Whether something in it is no float, and must not be rounded."""
        masked = any(shape is not None for shape in self.masks)
        return masked or not all(dtype.startswith(("float", "bfloat")) for dtype in self.dtypes)

    def packed(self, tensors: Sequence):
        """Returns tensors as one."""
        if self.alone:
            return tensors[0]
        masks = [
            keras.src.backend.get_keras_mask(x)
            for x, shape in zip(tensors, self.masks, strict=True)
            if shape is not None
        ]
        flat = [
            ops.reshape(ops.cast(x, self.dtype), (-1, math.prod(shape)))
            for x, shape in zip([*tensors, *masks], self.parts, strict=True)
        ]
        for place in self.common:
            flat[place] = ops.tile(flat[place], (ops.shape(flat[0])[0], 1))
        return ops.concatenate(flat, axis=1)

    def with_stream(self, stream, state):
        """Returns a state whose first tensor is another one; the rest stays as it is.

        Args:
            stream: The new first tensor, of the same shape or another one.
            state: Where the rest comes from.
        """
        if self.alone:
            return stream
        flat = ops.reshape(ops.cast(stream, self.dtype), (-1, math.prod(stream.shape[1:])))
        return ops.concatenate([flat, state[:, math.prod(self.shapes[0]) :]], axis=1)

    def unpacked(self, state) -> list:
        """Returns the tensors of a state."""
        if self.alone:
            return [state]
        result, first = [], 0
        for place, shape in enumerate(self.parts):
            size = math.prod(shape)
            part = state[:, first : first + size]
            alike = place in self.common
            result.append(
                ops.reshape(part[:1] if alike else part, shape if alike else (-1, *shape))
            )
            first += size
        masks = iter(result[len(self.shapes) :])
        tensors = []
        for x, dtype, mask in zip(result, self.dtypes, self.masks, strict=False):
            tensor = ops.cast(x, dtype)
            if mask is not None:
                keras.src.backend.set_keras_mask(tensor, ops.cast(next(masks), "bool"))
            tensors.append(tensor)
        return tensors
