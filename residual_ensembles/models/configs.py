"""Keras configs: kinds of layers, architectures of networks, and a network in another precision."""

import io
import json
import zipfile
from collections.abc import Collection
from pathlib import Path

import keras

from residual_ensembles.arguments import checked
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.nesting import copy_state, register_all
from residual_ensembles.models.saving import reading

REDUCED = ("bfloat16", "float16", "mixed_bfloat16", "mixed_float16")
"""Policies and types that compute in less than float32."""


def normalized(config, without: Collection[str] = (), replacements: dict | None = None):
    """Returns a config as plain dictionaries and lists, without some keys, strings replaced."""
    if isinstance(config, dict):
        kept = (name for name in config if name not in without)
        return {name: normalized(config[name], without, replacements) for name in kept}
    if isinstance(config, list | tuple):
        return [normalized(each, without, replacements) for each in config]
    return replacements.get(config, config) if replacements and isinstance(config, str) else config


def kind_of(
    layer: keras.layers.Layer, input_shape: tuple = (), ignored: tuple[str, ...] = ()
) -> str | None:
    """Returns a text that is equal for layers which differ in weights only; None without a config.

    Layers of one kind may differ in name, seed and the keys `ignored`.
    """
    try:
        config = normalized(layer.get_config(), {"name", "seed", *ignored})
    except (AttributeError, NotImplementedError):
        return None
    weights = [(tuple(v.shape), str(v.dtype)) for v in layer.variables]
    kind = [type(layer).__qualname__, config, input_shape, weights]
    return json.dumps(kind, sort_keys=True, default=repr)


@checked
def in_float32(chain: Chain) -> Chain:
    """Returns a chain that computes in float32, with the same weights; itself where it does.

    Example:
        >>> in_float32(chain) is chain
        True
    """
    config = normalized(chain.get_config())
    wider = normalized(config, replacements=dict.fromkeys(REDUCED, "float32"))
    if wider == config:
        return chain
    wide = type(chain).from_config(wider)
    copy_state(chain, wide)
    return wide


def architecture_of(content: bytes) -> str:
    """Returns the architecture in a network's file, as text: equal for all epochs and seeds."""
    return json.dumps(normalized(_config_in(content), {"seed"}))


def untrained_network(file: Path, content: bytes, known: dict[str, Chain]) -> Chain:
    """Returns a network of the architecture in a file, with untrained weights.

    The weights in the file are not read, which would take longest. One in `known`, by architecture,
    is returned again.
    """
    register_all()
    with reading(file):
        architecture = architecture_of(content)
        if architecture not in known:
            known[architecture] = keras.saving.deserialize_keras_object(_config_in(content))
    return known[architecture]


def _config_in(content: bytes) -> dict:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return json.loads(archive.read("config.json"))
