"""Everything in which the backends differ, one small file for each of them.

`compile` traces a function of tensors once and runs it fast; `vjp` gives a value and its pullback;
`map_rows` applies a function, such as a pullback, to many rows at once; `stack` and `unstack` make
rows of a list and a list of rows, and `take_rows` chooses some, outside of compiled functions;
`fused_batch_norm` is the backend's own single operation for batch normalisation in training, or
None where it has none; `scale_channels` is what is left of it when nothing is trained;
`JIT_COMPILE` is what `keras.Model.compile` should be told (on a CPU, TensorFlow is faster without
XLA); `configure` makes a program's runs repeatable bit for bit; `devices` names what it computes
on; within `full_precision()` float32 is not shortened to what a GPU multiplies faster;
`multiply_adds` counts what a function costs.
"""

from residual_ensembles import backend_choice

if backend_choice.problem() is not None:
    raise ImportError(backend_choice.problem())

import keras

NAME = keras.backend.backend()

if NAME == "jax":
    from residual_ensembles.backend._jax import (
        JIT_COMPILE,
        VERSIONS,
        compile,
        configure,
        devices,
        full_precision,
        fused_batch_norm,
        map_rows,
        scale_channels,
        stack,
        take_rows,
        unstack,
        vjp,
    )
    from residual_ensembles.backend._jax_costs import multiply_adds
else:
    from residual_ensembles.backend._tensorflow import (
        JIT_COMPILE,
        VERSIONS,
        compile,
        configure,
        devices,
        full_precision,
        fused_batch_norm,
        map_rows,
        scale_channels,
        stack,
        take_rows,
        unstack,
        vjp,
    )
    from residual_ensembles.backend._tensorflow_costs import multiply_adds

__all__ = [
    "JIT_COMPILE",
    "NAME",
    "VERSIONS",
    "compile",
    "configure",
    "devices",
    "full_precision",
    "fused_batch_norm",
    "map_rows",
    "multiply_adds",
    "scale_channels",
    "stack",
    "take_rows",
    "unstack",
    "vjp",
]
