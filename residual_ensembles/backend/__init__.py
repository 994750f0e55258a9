"""Everything in which the backends differ, one small file for each of them.

`compile` traces a function of tensors once and runs it fast; `vjp` gives a value and its pullback;
`fused_batch_norm` is the backend's own single operation for batch normalisation in training, or
None where it has none; `JIT_COMPILE` is what `keras.Model.compile` should be told (on a CPU,
TensorFlow is faster without XLA); `configure` makes a program's runs repeatable bit for bit;
`devices` names what it computes on.
"""

from residual_ensembles import backend_choice

if backend_choice.problem() is not None:
    raise ImportError(backend_choice.problem())

import keras  # noqa: E402 (a backend that is not installed would fail here, less clearly)

NAME = keras.backend.backend()

if NAME == "jax":
    from residual_ensembles.backend._jax import (
        JIT_COMPILE,
        VERSIONS,
        compile,
        configure,
        devices,
        fused_batch_norm,
        vjp,
    )
else:
    from residual_ensembles.backend._tensorflow import (
        JIT_COMPILE,
        VERSIONS,
        compile,
        configure,
        devices,
        fused_batch_norm,
        vjp,
    )

__all__ = [
    "JIT_COMPILE",
    "NAME",
    "VERSIONS",
    "compile",
    "configure",
    "devices",
    "fused_batch_norm",
    "vjp",
]
