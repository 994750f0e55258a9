"""Properties of subgraphs, measured on random numbers.

No list of layers is complete: custom layers are in none. The numbers are always the same, so that a
model is cut in the same way every time.
"""

from collections.abc import Callable, Iterable, Sequence

import keras
import numpy as np
from keras import ops

from residual_ensembles.statistics.randomness import generator
from residual_ensembles.unraveling.example import Trace
from residual_ensembles.unraveling.graph import Graph, Node
from residual_ensembles.unraveling.program import Program

TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1, "float16": 0.02}
"""Largest difference that is rounding, by type: see `tolerance`."""
SPREAD = 3.0
"""Standard deviation of the random numbers, large enough for a nonlinearity to show."""
OUTSIDE = 2.5
"""Where linearity is tested on a line through 0 and 1: outside, where a kink would show."""


def tolerance(dtypes: Iterable[str]) -> float:
    """Returns the largest difference that is rounding, as a share of the values or of their change.

    Of the types that are computed in, the least precise decides.
    """
    return max(TOLERANCE.get(dtype, 0.0) for dtype in ("float32", *dtypes))


class Probe:
    """Trials of parts of a graph on random numbers of the shapes and types in a trace."""

    def __init__(self, graph: Graph, trace: Trace):
        self.graph = graph
        self.trace = trace
        self.batch = graph.model.inputs[0].shape[0]
        """Batch size of the model; None for any."""

    def is_linear(self, entry: int, term: int, nodes: Sequence[Node]) -> bool:
        """Whether `term` is an affine function of `entry`, by the nodes between them.

        f(x + a (z − x)) = f(x) + a (f(z) − f(x)): a projection may have a bias, and batch
        normalization in inference has one. A constant does not count.
        """
        result = self._on_a_line(entry, term, nodes)
        if result is None:
            return False
        one, other, outside = result
        change = np.abs(other - one).max(initial=0.0)
        error = np.abs(outside - one - OUTSIDE * (other - one)).max(initial=0.0)
        return bool(change > 0 and error <= self._tolerance(nodes) * change)

    def is_constant(self, entry: int, term: int, nodes: Sequence[Node]) -> bool:
        """Whether `term` is the same for any `entry`, by the nodes between them.

        Weights are random in the trial: those of a branch that begins at zero, or whose units all
        are off, do not make it a constant.
        """
        random = generator(0, "constant")
        weights = {id(v): (v, w) for node in nodes for v, w in self._random_weights(node, random)}
        with keras.StatelessScope(state_mapping=list(weights.values())):
            result = self._on_a_line(entry, term, nodes)
        return result is not None and all(np.array_equal(result[0], each) for each in result)

    def _on_a_line(self, entry: int, term: int, nodes: Sequence[Node]) -> np.ndarray | None:
        """Returns `term` for three values of `entry` on a line; None where that fails."""
        inside = {t for node in nodes for t in node.outputs} | {entry}
        others = sorted({t for node in nodes for t in node.inputs} - inside)
        x, z = self._numbers("linear", entry, 2)
        try:
            program = Program(self.graph, [entry, *others], [term])
            return self._run(
                lambda tensors: program(tensors, training=False)[0],
                [np.stack([x, z, x + OUTSIDE * (z - x)]), *self._fixed(others)],
                [entry, *others],
            )
        except Exception:  # of any type, from a custom layer: then it is not known
            return None

    def unscaled_inputs(self, node: Node) -> list[bool] | None:
        """Returns for each input of a node that adds whether it is added as it is.

        None where the node does anything else. At least one input is added elementwise, possibly
        scaled; the others may be transformed by any linear function. An input may be repeated
        along some axes. Weights are random in the trial, since those that scale a branch often
        begin at zero.
        """
        inputs, [total] = node.inputs, node.outputs
        n = len(inputs)
        if len(set(inputs)) != n or not self._have_one_shape(node):
            return None
        random, pairs, rows = generator(0, "addition"), [], []
        for i, tensor in enumerate(inputs):
            shape, dtype = self.trace.shapes[tensor], self.trace.dtypes[tensor]
            numbers = random.normal(0, SPREAD, (2, *shape))
            x, z = ops.convert_to_numpy(ops.cast(ops.cast(numbers, dtype), "float32"))
            row = np.zeros((3 * n + 2, *shape), "float32")
            row[0] = x
            row[1 + 3 * i : 4 + 3 * i] = x, z, x + z
            pairs.append((x, z))
            rows.append(row)
        try:
            with keras.StatelessScope(state_mapping=self._random_weights(node, random)):
                result = self._run(lambda tensors: _called(node, tensors), rows, inputs)
        except Exception:  # of any type, from a custom layer: then it does not add
            return None
        full, nothing = result[0], result[-1]
        own = result[1:-1].reshape(n, 3, *full.shape)
        near = self._tolerance([node]) * max(np.abs(result).max(), np.finfo("float32").tiny)
        adds = (
            not nothing.any()
            and np.abs(full - own[:, 0].sum(axis=0)).max() <= near
            and np.abs(own[:, 2] - own[:, 0] - own[:, 1]).max() <= near
            and all(each.any() for each in own[:, 0])
        )
        scaled = [
            np.abs(one * z - other * x).max() <= near * SPREAD
            for (one, other, _), (x, z) in zip(own, pairs, strict=True)
        ]
        if not adds or not any(scaled):
            return None
        return [
            bool(np.array_equal(one, np.broadcast_to(x, self.trace.shapes[total])))
            for (one, _, _), (x, _) in zip(own, pairs, strict=True)
        ]

    def is_bounded_by_one(self, tensor: int) -> bool:
        """Whether the last layers before a tensor output numbers in 0..1 for any input.

        They are those up to the last one with weights on each branch, such as a dense layer with a
        sigmoid, of which there may be several that are averaged.
        """
        known: set[int] = set()
        pending = [tensor]
        while pending:
            last = pending.pop()
            node = self.graph.producers[last]
            known.update([last] if node is None else node.inputs if node.weights else ())
            pending += [] if node is None or node.weights else node.inputs
        entering = sorted(known)
        floats = all(self.trace.dtypes[t].startswith(("float", "bfloat")) for t in entering)
        if not floats or tensor in known or any(self.trace.shapes[t] is None for t in entering):
            return False
        # Large and small ones, each with its negative, so that not all of them saturate at one end.
        scales = np.array([1e4, -1e4, 1, -1], "float32")
        rows = []
        for i, t in enumerate(entering):
            number = self._numbers(f"bounded {i}", t, 1)
            rows.append(scales.reshape(-1, *[1] * (number.ndim - 1)) * number)
        try:
            program = Program(self.graph, entering, [tensor])
            result = self._run(lambda tensors: program(tensors, training=False)[0], rows, entering)
        except Exception:  # as above
            return False
        return bool(result.min() >= 0 and result.max() <= 1 and result.min() < result.max())

    def _have_one_shape(self, node: Node) -> bool:
        """Whether inputs and outputs of a node are floats of one shape, up to broadcasting."""
        tensors = [*node.inputs, *node.outputs]
        shapes = [self.trace.shapes[t] for t in tensors]
        floats = all(self.trace.dtypes[t].startswith(("float", "bfloat")) for t in tensors)
        if None in shapes or len(set(map(len, shapes))) > 1:
            return False
        total = shapes[-1]
        repeats = (a in (1, b) for shape in shapes for a, b in zip(shape, total, strict=True))
        return floats and all(repeats)

    def _numbers(self, purpose: str, tensor: int, n: int) -> np.ndarray:
        shape = (n, *self.trace.shapes[tensor])
        return generator(0, purpose).normal(0, SPREAD, shape).astype("float32")

    def _fixed(self, tensors: Sequence[int]) -> list[np.ndarray]:
        """Returns values of the other tensors that a branch needs, equal in each row."""
        random, result = generator(0, "beside"), []
        for tensor in tensors:
            shape, dtype = self.trace.shapes[tensor], self.trace.dtypes[tensor]
            if shape is None:
                result.append(self.trace.common[tensor])
            elif dtype.startswith(("float", "bfloat")):
                result.append(np.repeat(random.normal(size=(1, *shape)), 3, axis=0))
            else:
                result.append(np.repeat(random.integers(0, 2, (1, *shape)), 3, axis=0))
        return result

    def _run(self, function: Callable, rows: Sequence[np.ndarray], tensors: Sequence[int]):
        """Returns a function of rows, evaluated in batches of the model's size."""
        n = len(rows[0])
        size, result = self.batch or n, []
        for start in range(0, n, size):
            some = np.minimum(np.arange(start, start + size), n - 1)
            inputs = [
                ops.cast(each if self.trace.shapes[t] is None else each[some], self.trace.dtypes[t])
                for each, t in zip(rows, tensors, strict=True)
            ]
            result.append(ops.convert_to_numpy(ops.cast(function(inputs), "float32")))
        return np.concatenate(result)[:n]

    def _tolerance(self, nodes: Sequence[Node]) -> float:
        return tolerance({self.trace.dtypes[t] for node in nodes for t in node.outputs})

    def _random_weights(self, node: Node, random: np.random.Generator) -> list[tuple]:
        return [
            (w, ops.cast(random.uniform(0.5, 1.5, w.shape), w.dtype))
            for w in node.weights
            if keras.backend.standardize_dtype(w.dtype).startswith(("float", "bfloat"))
        ]


def _called(node: Node, tensors: Sequence):
    values = dict(zip(node.inputs, tensors, strict=True))
    node.call(values, training=False)
    return values[node.outputs[0]]
