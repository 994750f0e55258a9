"""All digits of float32: for networks trained in fewer, and on devices that take fewer.

The parts add up to the gradient to five digits, and norms fall by dozens of decades; bfloat16 has
two or three digits, and what a GPU makes of float32 by default has three.
"""

import json
from collections.abc import Callable

from residual_ensembles import backend
from residual_ensembles.models import Chain


def compiled(function: Callable) -> Callable:
    """Returns `function` compiled, with products in full precision."""

    def precisely(*arguments):
        with backend.full_precision():
            return function(*arguments)

    return backend.compile(precisely)


def in_float32(chain: Chain) -> Chain:
    """Returns a chain that computes in float32, with the same weights.

    Args:
        chain: The network; it is returned as it is where it computes in float32 already.
    """
    config = json.dumps(chain.get_config())
    if "mixed_bfloat16" not in config:
        return chain
    wide = type(chain).from_config(json.loads(config.replace("mixed_bfloat16", "float32")))
    wide.set_weights(chain.get_weights())
    return wide
