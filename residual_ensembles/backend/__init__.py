"""Everything in which the backends differ, one file for each.

`compile` traces a function of tensors once and runs it fast; `vjp` returns a value and its
pullback; `map_rows` applies a function, such as a pullback, to many rows at once; `take_rows` takes
some, outside of compiled functions; `NUMBERS_AT_ONCE` is a good size of the input of an operation;
`fused_batch_norm` is the backend's own operation for batch normalization in training, or None;
`scale_channels` is that of inference; `JIT_COMPILE` is the argument for `keras.Model.compile` (on a
CPU, TensorFlow is faster without XLA); `configure` makes runs repeatable bit for bit; `devices`
names the devices; `bfloat16_problem` says why bfloat16 cannot be computed here, or is None; within
`full_precision()` float32 is not shortened to what a GPU multiplies faster; `multiply_adds` counts
what a function costs.

Keras and the backend are imported when the first of these is used, not with the package.
"""

from residual_ensembles.backend import process

__all__ = [
    "JIT_COMPILE",
    "NAME",
    "NUMBERS_AT_ONCE",
    "VERSIONS",
    "bfloat16_problem",
    "compile",
    "configure",
    "devices",
    "full_precision",
    "fused_batch_norm",
    "map_rows",
    "multiply_adds",
    "scale_channels",
    "take_rows",
    "vjp",
]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if process.problem() is not None:
        raise ImportError(process.problem())
    import keras

    if keras.backend.backend() == "jax":
        from residual_ensembles.backend import _jax

        own = vars(_jax)
    else:
        from residual_ensembles.backend import _tensorflow

        own = vars(_tensorflow)
    globals().update({each: own[each] for each in __all__})
    return globals()[name]
