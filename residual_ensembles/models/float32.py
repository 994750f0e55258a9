"""A network in float32, whatever it was trained in."""

import json
import re

from residual_ensembles.models.chain import Chain

_REDUCED = re.compile(r'"(mixed_)?(bfloat16|float16)"')
"""Names of policies and of types, as they stand in a configuration."""


def in_float32(chain: Chain) -> Chain:
    """Returns a chain that computes in float32, with the same weights.

    Args:
        chain: The network; it is returned as it is where it computes in float32 already.
    """
    config = json.dumps(chain.get_config())
    if not _REDUCED.search(config):
        return chain
    wide = type(chain).from_config(json.loads(_REDUCED.sub('"float32"', config)))
    wide.set_weights(chain.get_weights())
    return wide
