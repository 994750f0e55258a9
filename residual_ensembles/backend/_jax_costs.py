"""Multiply-adds of a function on JAX, counted in its program."""

import math
from collections.abc import Callable, Iterator, Sequence

import jax


def multiply_adds(function: Callable, shapes: Sequence[tuple], dtypes: Sequence[str]) -> int:
    """Returns the multiply-adds that convolutions and products of matrices take for one example.

    What goes through numbers one by one, as norms and activations do, is not counted; of a loop,
    one turn is.

    Args:
        function: From tensors to tensors.
        shapes: Of the tensors, without batch.
        dtypes: Their types.
    """
    specs = [jax.ShapeDtypeStruct((1, *s), d) for s, d in zip(shapes, dtypes, strict=True)]
    program = jax.make_jaxpr(function)(*specs).jaxpr
    return sum(_of(equation) for equation in _equations(program))


def _equations(program) -> Iterator:
    for equation in program.eqns:
        yield equation
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)  # a closed program has its constants beside it
            if hasattr(inner, "eqns"):
                yield from _equations(inner)


def _of(equation) -> int:
    name = equation.primitive.name
    if name == "dot_general":
        left = equation.invars[0].aval.shape
        (summed, _), _ = equation.params["dimension_numbers"]
        return math.prod(equation.outvars[0].aval.shape) * math.prod(left[i] for i in summed)
    if name == "conv_general_dilated":
        kernel = equation.invars[1].aval.shape
        filters = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
        return math.prod(equation.outvars[0].aval.shape) * math.prod(kernel) // filters
    return 0
