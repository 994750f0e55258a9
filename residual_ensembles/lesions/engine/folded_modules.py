"""Modules as functions of a tensor and of folded weights, for inference.

Two modules with equal keys are one function with different weights, and share one trace.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from residual_ensembles import backend
from residual_ensembles.models.configs import kind_of
from residual_ensembles.models.lowering import Affine, Convolution, Lowered, Relu, Step


class Form(NamedTuple):
    """The function of a kind of module, and the weights of one module."""

    key: Hashable
    """What the function is, apart from its weights."""
    function: Callable
    """`function(y, weights)`."""
    weights: tuple[np.ndarray | Affine, ...]
    """In float64, to be rounded once; an `Affine` is applied in float32 whatever the precision."""


def module_form(module: Lowered) -> Form | None:
    """Returns the function of a module that runs; None where its residual is not known."""
    return None if module.residual is None else _form(module, module.residual)


def deleted_form(module: Lowered) -> Form:
    """Returns the function of a deleted module: as if its skip were all that runs."""
    return _form(Lowered(None, (), module.after, has_skip=False), module.skip)


def _form(module: Lowered, steps: Sequence[Step]) -> Form:
    residual, weights = _folded(steps, module.survival)
    gate, of_gate = _folded([] if module.gate is None else [module.gate])
    skip, of_skip = _folded(module.skip)
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
    return Form(key, function, (*weights, *of_gate, *of_skip))


def _folded(steps: Sequence[Step], scale: float = 1.0) -> tuple[tuple, tuple]:
    """Returns steps as a program of (name, constant), and the weights that it takes one by one.

    A norm that follows a convolution goes into its kernel, and so does `scale`, by which the last
    result is multiplied.
    """
    program: list[tuple[str, float | None]] = []
    weights: list[Any] = []
    for step in steps:
        if isinstance(step, Relu):
            program.append(("relu", None))
        elif isinstance(step, Convolution):
            program.append(("convolution", step.strides))
            weights.append(np.asarray(step.kernel, np.float64))
            if step.bias is not None:
                program.append(("add", None))
                weights.append(np.asarray(step.bias, np.float64))
        elif program and program[-1][0] == "convolution":
            by = step.affine()
            program.append(("add", None))
            weights[-1:] = [weights[-1] * by.scale, by.offset]
        else:
            program.append(("affine", None))
            weights.append(step.affine())
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
