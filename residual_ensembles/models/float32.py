"""A network in float32, whatever it was trained in."""

import json

from residual_ensembles.models.chain import Chain


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
