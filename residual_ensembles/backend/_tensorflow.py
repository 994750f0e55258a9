"""The TensorFlow backend: CPU, without XLA, one operation at a time between threads."""

import contextlib
from collections.abc import Callable

import tensorflow as tf

from residual_ensembles.backend.threads import number

JIT_COMPILE = False
VERSIONS = {"tensorflow": tf.__version__}


def compile(function: Callable) -> Callable:
    """Returns `function` traced into a graph at its first call for each shape."""
    compiled = tf.function(function, jit_compile=JIT_COMPILE, reduce_retracing=False)
    compiled._omit_frequent_tracing_warning = True  # every new shape needs a trace, on purpose
    return compiled


def configure(threads: int | None = None) -> None:
    """Makes runs repeatable bit for bit; call it before anything is computed.

    Operations run one after another (inter-op threads 1), each on all threads. With TensorFlow's
    default, sums are accumulated in the order in which operations happen to finish. Another number
    of threads cuts sums elsewhere: results then agree to rounding, not bit for bit.

    Args:
        threads: Threads within an operation; None for RESIDUAL_ENSEMBLES_THREADS, or else one for
            each processor.
    """
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(number(threads) or 0)


def devices() -> list[str]:
    """Returns the names of the devices that are computed on."""
    return [device.device_type for device in tf.config.list_logical_devices()]


def full_precision() -> contextlib.AbstractContextManager:
    """Returns a context in which products of float32 keep its 24 bits; a CPU's always do."""
    return contextlib.nullcontext()


def map_rows(function: Callable, rows):
    """Returns `function` of each row, `(rows, ...)`, computed together."""
    return tf.vectorized_map(function, rows)


def take_rows(x, rows):
    """Returns rows of a tensor by their positions, 0 or more; outside of compiled functions.

    `keras.ops.take` allows for negative positions too, which takes longer than the copying.
    """
    return tf.gather(x, rows)


def stack(rows: list):
    """Returns tensors of one shape as rows of one tensor."""
    return tf.stack(rows)


def unstack(rows) -> list:
    """Returns the rows of a tensor as a list; they are not copied."""
    return tf.unstack(rows)


def vjp(function: Callable, *inputs):
    """Returns `function(*inputs)` and the function that pulls a cotangent of it back to them.

    Args:
        function: From tensors to one tensor.
        *inputs: Tensors.

    Returns:
        The value, and `pullback(cotangent)`, a tuple with one cotangent for each input. It may be
        called more than once.
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
    """Normalises `x` over a batch in one operation.

    Args:
        x: Tensor `(batch, height, width, channels)`, float32 or bfloat16.
        gamma: Scale `(channels,)`, float32.
        beta: Offset `(channels,)`, float32.
        epsilon: Added to the variance.

    Returns:
        The normalised tensor, the batch's mean, and its variance without Bessel's correction (the
        operation applies the correction, Keras does not: it is taken back here).
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
    """Returns `x * scale + offset` in x's own type, for pictures in one pass over the memory.

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
