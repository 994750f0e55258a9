"""The TensorFlow backend: on a CPU, without XLA."""

import contextlib
import functools
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import tensorflow as tf

from residual_ensembles.backend.threads import process_threads, processors

NAME = "tensorflow"
JIT_COMPILE = False
# Enough for all cores, and little enough for their caches.
NUMBERS_AT_ONCE = 2**18
VERSIONS = {"tensorflow": tf.__version__}


def compile(function: Callable) -> Callable:
    """Returns `function` traced into a graph at its first call for each shape."""
    compiled = tf.function(function, jit_compile=JIT_COMPILE, reduce_retracing=False)
    compiled._omit_frequent_tracing_warning = True  # every new shape needs a trace, on purpose
    return compiled


def configure(threads: int | None = None) -> None:
    """Makes runs repeatable bit for bit; call it once, before anything is computed.

    The number of threads within an operation decides the order of sums, and with it the last bits
    of a result; the number of operations at a time does not (`tests/training`).

    Args:
        threads: Threads within an operation; None for RESIDUAL_ENSEMBLES_THREADS, or else one for
            each processor.
    """
    threads = threads or process_threads()
    # One thread is one processor; with more, small operations need not wait for each other.
    tf.config.threading.set_inter_op_parallelism_threads(min(2, threads))
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    if 1 < threads == processors() and hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):  # without it steps are slower at times
            _pin_threads(threads)


def _pin_threads(n: int) -> None:
    """Starts TensorFlow and pins each of its threads within an operation to its own processor.

    Linux leaves two threads that wait for each other on one processor as long as anything else, of
    whatever priority, runs on the other: a step then takes up to twice as long.
    """
    tasks = Path("/proc/self/task")
    before = set(os.listdir(tasks))
    tf.config.list_logical_devices()
    started = [
        int(thread)
        for thread in set(os.listdir(tasks)) - before
        if not (tasks / thread / "comm").read_text().startswith("tf_")  # those between operations
    ]
    if len(started) != n:  # TensorFlow was started before, or has other threads too
        return
    for thread, processor in zip(sorted(started), sorted(os.sched_getaffinity(0)), strict=True):
        os.sched_setaffinity(thread, {processor})


def devices() -> list[str]:
    """Returns the names of the devices."""
    return [device.device_type for device in tf.config.list_logical_devices()]


@functools.cache
def bfloat16_problem() -> str | None:
    """Returns why bfloat16 cannot be computed here, and how to mend it; None if it can.

    TensorFlow gives bfloat16 to oneDNN wherever the processor has AVX-512, even where
    ONEDNN_MAX_CPU_ISA forbids oneDNN to use it: a convolution then raises, and a product of
    matrices ends the process.
    """
    one = tf.ones((1, 1, 1, 1), tf.bfloat16)
    try:
        tf.nn.conv2d(one, one, 1, "SAME")
    except tf.errors.AbortedError:
        return (
            "oneDNN is forbidden instructions that TensorFlow relies on on this processor. "
            "Unset ONEDNN_MAX_CPU_ISA, or set TF_ENABLE_ONEDNN_OPTS=0"
        )
    return None


def full_precision() -> contextlib.AbstractContextManager:
    """Returns a context in which products of float32 keep its 24 bits; a CPU's always do."""
    return contextlib.nullcontext()


def map_rows(function: Callable, rows):
    """Returns `function` of each row, `(rows, ...)`, computed at once."""
    return tf.vectorized_map(function, rows)


def take_rows(x, rows):
    """Returns rows of a tensor by their positions, 0 or more; outside of compiled functions.

    `keras.ops.take` also allows negative positions, which takes longer than the copying.
    """
    return tf.gather(x, rows)


def vjp(function: Callable, *inputs):
    """Returns `function(*inputs)` and its pullback, from a cotangent to those of the inputs.

    The function returns one tensor; `pullback(cotangent)`, a tuple with one cotangent for each
    input, may be called repeatedly.
    """
    inputs = tuple(tf.convert_to_tensor(x) for x in inputs)
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        value = function(*inputs)

    def pullback(cotangent):
        return tuple(
            tape.gradient(
                value, inputs, cotangent, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
        )

    return value, pullback


def fused_batch_norm(x, gamma, beta, epsilon: float):
    """Normalizes `x` over a batch in one operation.

    Args:
        x: Tensor `(batch, height, width, channels)`, float32 or bfloat16.
        gamma: Scale `(channels,)`, float32.
        beta: Offset `(channels,)`, float32.
        epsilon: Added to the variance.

    Returns:
        The normalized tensor, the batch's mean, and its variance without Bessel's correction (the
        operation applies the correction, Keras does not: it is undone here).
    """
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=gamma,
        offset=beta,
        mean=tf.zeros([0], gamma.dtype),
        variance=tf.zeros([0], gamma.dtype),
        epsilon=epsilon,
        is_training=True,
    )
    count = tf.cast(tf.size(x) / tf.shape(x)[-1], variance.dtype)
    return y, mean, variance * ((count - 1.0) / count)


def scale_channels(x, scale, offset):
    """Returns `x * scale + offset` in x's own type, for images in one pass over the memory.

    A ReLU that follows is done in the same pass.

    Args:
        x: Tensor `(..., channels)`, float32 or bfloat16.
        scale: `(channels,)`, float32.
        offset: `(channels,)`, float32.
    """
    if len(x.shape) != 4:
        return tf.cast(tf.cast(x, scale.dtype) * scale + offset, x.dtype)
    y, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=scale,
        offset=offset,
        mean=tf.zeros_like(offset),
        variance=tf.ones_like(scale),
        epsilon=0.0,
        is_training=False,
    )
    return y


def multiply_adds(function: Callable, shapes: Sequence[tuple], dtypes: Sequence[str]) -> int:
    """Returns the multiply-adds that convolutions and products of matrices take for one example.

    Elementwise operations, such as norms and activations, are not counted; of a loop, nothing is.

    Args:
        function: Function of tensors with a batch axis.
        shapes: Shapes of its arguments, without batch.
        dtypes: Their types.
    """
    specs = [tf.TensorSpec((1, *s), d) for s, d in zip(shapes, dtypes, strict=True)]
    graph = tf.function(function, autograph=False).get_concrete_function(*specs).graph
    return sum(map(_multiply_adds_of, graph.get_operations()))


def _numbers(tensor) -> int:
    return math.prod(tensor.shape)


def _multiply_adds_of(op) -> int:
    match op.type:
        case "Conv2D" | "Conv3D":
            return _numbers(op.outputs[0]) * math.prod(op.inputs[1].shape[:-1])
        case "Conv2DBackpropInput":
            return _numbers(op.inputs[2]) * math.prod(op.inputs[1].shape[:-1])
        case "DepthwiseConv2dNative":
            return _numbers(op.outputs[0]) * math.prod(op.inputs[1].shape[:2])
        case "MatMul":
            summed = 0 if op.get_attr("transpose_a") else 1
            return _numbers(op.outputs[0]) * op.inputs[0].shape[summed]
        case "BatchMatMulV2" | "BatchMatMulV3":
            summed = -2 if op.get_attr("adj_x") else -1
            return _numbers(op.outputs[0]) * op.inputs[0].shape[summed]
        case "Einsum":
            return _einsum(op)
    return 0


def _einsum(op) -> int:
    inputs, output = op.get_attr("equation").decode().split("->")
    sizes: dict[str, int] = {}
    for letters, tensor in zip(inputs.split(","), op.inputs, strict=True):
        first, _, last = letters.partition("...")
        shape = list(tensor.shape)
        sizes |= dict(zip(first, shape, strict=False))
        sizes |= dict(zip(reversed(last), reversed(shape), strict=False))
    summed = math.prod(size for letter, size in sizes.items() if letter not in output)
    return _numbers(op.outputs[0]) * summed
