"""All digits of float32, on devices that take fewer.

Lesions are compared with the reference to four digits and path gradients add up to five; what a
GPU makes of float32 by default has three. Of networks trained in bfloat16, which has two or three,
`models.in_float32` makes wider ones.
"""

from collections.abc import Callable

from residual_ensembles import backend


def compiled(function: Callable) -> Callable:
    """Returns `function` compiled, with products in full precision."""

    def precisely(*arguments):
        with backend.full_precision():
            return function(*arguments)

    return backend.compile(precisely)
