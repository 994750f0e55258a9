"""Compilation with all digits of float32, also on GPUs.

Lesions are compared with the reference to four digits and path gradients add up to five; products
of float32 on a GPU have three by default. Networks trained in bfloat16, which has two or three, are
converted by `models.in_float32`.
"""

from collections.abc import Callable

from residual_ensembles import backend


def compiled(function: Callable) -> Callable:
    """Returns `function` compiled, with products in full precision."""

    def in_full_precision(*arguments):
        with backend.full_precision():
            return function(*arguments)

    return backend.compile(in_full_precision)
