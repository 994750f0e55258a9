"""The JAX backend, which XLA compiles; for GPUs."""

import contextlib
import math
import os
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp

NAME = "jax"
JIT_COMPILE = True
# Enough to keep a GPU busy.
NUMBERS_AT_ONCE = 2**23
VERSIONS = {"jax": jax.__version__}

# XLA fuses Keras' own batch normalization.
fused_batch_norm = None


def compile(function: Callable) -> Callable:
    """Returns `function` compiled by XLA at its first call for each shape."""
    return jax.jit(function)


def configure(threads: int | None = None) -> None:
    """Makes runs repeatable bit for bit; call it before anything is computed.

    On a CPU they are; on a GPU a flag keeps XLA from kernels whose sums have no fixed order. XLA
    takes the threads that it finds, whatever `threads` says.
    """
    xla_flags = os.environ.get("XLA_FLAGS", "")
    if "xla_gpu_deterministic_ops" not in xla_flags:
        os.environ["XLA_FLAGS"] = f"{xla_flags} --xla_gpu_deterministic_ops=true".strip()


def devices() -> list[str]:
    """Returns the names of the devices."""
    return [device.device_kind for device in jax.devices()]


def bfloat16_problem() -> None:
    """Returns None: XLA computes bfloat16 on any processor."""


def full_precision() -> contextlib.AbstractContextManager:
    """Returns a context in which products of float32 keep its 24 bits; a GPU would use 11."""
    return jax.default_matmul_precision("highest")


def map_rows(function: Callable, rows):
    """Returns `function` of each row, `(rows, ...)`, computed at once."""
    return jax.vmap(function)(rows)


@jax.jit
def take_rows(x, rows):
    """Returns rows of a tensor by their positions, 0 or more; outside of compiled functions."""
    return jnp.take(x, rows, axis=0, mode="clip")


def vjp(function: Callable, *inputs):
    """Returns `function(*inputs)` and its pullback, from a cotangent to those of the inputs."""
    return jax.vjp(function, *inputs)


def scale_channels(x, scale, offset):
    """Returns `x * scale + offset` in x's own type, float32 or bfloat16, computed in float32."""
    return (x * scale + offset).astype(x.dtype)


def multiply_adds(function: Callable, shapes: Sequence[tuple], dtypes: Sequence[str]) -> int:
    """Returns the multiply-adds that convolutions and products of matrices take for one example.

    Arguments are those of the TensorFlow backend; of a loop, one pass is counted.
    """
    specs = [jax.ShapeDtypeStruct((1, *s), d) for s, d in zip(shapes, dtypes, strict=True)]
    program = jax.make_jaxpr(function)(*specs).jaxpr
    return sum(_multiply_adds_of(equation) for equation in _equations(program))


def _equations(program) -> Iterator:
    for equation in program.eqns:
        yield equation
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)  # a closed program has its constants beside it
            if hasattr(inner, "eqns"):
                yield from _equations(inner)


def _multiply_adds_of(equation) -> int:
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
