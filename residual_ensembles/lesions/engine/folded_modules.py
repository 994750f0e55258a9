"""Modules as functions of a tensor and of folded weights, for inference.

Two modules with equal keys are one function with different weights, and share one trace.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from residual_ensembles import backend
from residual_ensembles.models.configs import kind_of
from residual_ensembles.models.lowering import Affine, Convolution, Lowered, Primitive, Relu


class FoldedModule(NamedTuple):
    """A module as a function that all modules of its kind share, and its own weights."""

    key: Hashable
    """Equal for modules that share the function."""
    function: Callable
    """`function(y, weights)`."""
    weights: tuple[np.ndarray | Affine, ...]
    """Float64, to be rounded once; an `Affine` is applied in float32 whatever the precision."""


def folded(module: Lowered) -> FoldedModule | None:
    """Returns a module that runs; None where its residual has no lowering."""
    return None if module.residual is None else _folded_module(module, module.residual)


def folded_deletion(module: Lowered) -> FoldedModule:
    """Returns a deleted module, of which only the skip and what follows the sum run."""
    return _folded_module(Lowered(None, (), module.after, has_skip=False), module.skip)


def _folded_module(module: Lowered, primitives: Sequence[Primitive]) -> FoldedModule:
    residual, weights = _folded_primitives(primitives, module.survival)
    gate, of_gate = _folded_primitives([] if module.gate is None else [module.gate])
    skip, of_skip = _folded_primitives(module.skip)
    has_skip, after = module.has_skip, module.after  # the function outlives the module's weights

    def function(y, weights):
        weights = iter(weights)
        z = _run(residual, y, weights)
        if gate:
            t = ops.sigmoid(_run(gate, y, weights))
            z = t * z + (1.0 - t) * _run(skip, y, weights)
        elif has_skip:
            z = _run(skip, y, weights) + z
        return z if after is None else ops.cast(after(z), z.dtype)

    key = "run", residual, gate, has_skip, skip, None if after is None else kind_of(after)
    return FoldedModule(key, function, (*weights, *of_gate, *of_skip))


def _folded_primitives(primitives: Sequence[Primitive], scale: float = 1.0) -> tuple[tuple, tuple]:
    """Returns primitives as a program of (name, constant), and the weights that it takes in order.

    A norm that follows a convolution goes into its kernel, and so does `scale`, by which the last
    result is multiplied.
    """
    program: list[tuple[str, float | None]] = []
    weights: list[Any] = []
    for primitive in primitives:
        if isinstance(primitive, Relu):
            program.append(("relu", None))
        elif isinstance(primitive, Convolution):
            program.append(("convolution", primitive.strides))
            weights.append(np.asarray(primitive.kernel, np.float64))
            if primitive.bias is not None:
                program.append(("add", None))
                weights.append(np.asarray(primitive.bias, np.float64))
        elif program and program[-1][0] == "convolution":
            by = primitive.affine()
            program.append(("add", None))
            weights[-1:] = [weights[-1] * by.scale, by.offset]
        else:
            program.append(("affine", None))
            weights.append(primitive.affine())
    if program and program[-1][0] == "convolution":
        weights[-1] = weights[-1] * scale
    elif scale != 1.0:
        program.append(("times", scale))
    return tuple(program), tuple(weights)


def _run(program: Sequence[tuple], y, weights: Iterator):
    for name, constant in program:
        if name == "relu":
            y = ops.relu(y)
        elif name == "convolution":
            y = ops.conv(y, next(weights), constant, "same", "channels_last")
        elif name == "add":
            y = ops.add(y, next(weights))
        elif name == "affine":
            y = backend.scale_channels(y, *next(weights))
        else:
            y = y * constant
    return y
