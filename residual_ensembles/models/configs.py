"""Keras configs: what two layers or networks have in common, and a network in another precision."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import keras

from residual_ensembles.models.chain import Chain
from residual_ensembles.models.nesting import register_all
from residual_ensembles.models.saving import reading

SEEDS = frozenset({"seed"})
NAMES = frozenset({"name", "seed"})
"""What a layer's config says that makes no difference to what it computes."""
REDUCED = ("bfloat16", "float16", "mixed_bfloat16", "mixed_float16")
"""Policies and types that compute in less than float32."""


def normalized(config: Any, without: frozenset[str] = frozenset(), instead: dict | None = None):
    """Returns a config in plain dictionaries and lists.

    Args:
        config: Config of a layer or a network, with whatever is in it.
        without: Names of entries that are left out, at any depth.
        instead: What texts are replaced by.
    """
    if isinstance(config, dict):
        kept = (name for name in config if name not in without)
        return {name: normalized(config[name], without, instead) for name in kept}
    if isinstance(config, list | tuple):
        return [normalized(each, without, instead) for each in config]
    return instead.get(config, config) if instead and isinstance(config, str) else config


def kind_of(layer: Any, input_shape: tuple = (), ignored: tuple[str, ...] = ()) -> str | None:
    """Returns what a layer has in common with those that differ in weights; None without a config.

    Args:
        layer: A built layer, for instance a module of a chain.
        input_shape: Shape of what enters it, without batch.
        ignored: Further entries of the config in which layers of one kind may differ.
    """
    try:
        config = normalized(layer.get_config(), NAMES.union(ignored))
    except (AttributeError, NotImplementedError):
        return None
    weights = [(tuple(v.shape), str(v.dtype)) for v in layer.variables]
    kind = [type(layer).__qualname__, config, input_shape, weights]
    return json.dumps(kind, sort_keys=True, default=repr)


def in_float32(chain: Chain) -> Chain:
    """Returns a chain that computes in float32, with the same weights; itself where it does."""
    config = normalized(chain.get_config())
    wider = normalized(config, instead=dict.fromkeys(REDUCED, "float32"))
    if wider == config:
        return chain
    wide = type(chain).from_config(wider)
    wide.set_weights(chain.get_weights())
    return wide


def architecture_of(content: bytes) -> str:
    """Returns the architecture in the bytes of a network's file: equal at all epochs and seeds."""
    return json.dumps(normalized(_config_in(content), SEEDS))


def outline(file: Path, content: bytes, known: dict[str, Chain]) -> Chain:
    """Returns a network with any weights; the same one for the same architecture.

    Args:
        file: Where it is.
        content: What stands there; its weights take longest to read.
        known: What was returned before, by architecture.

    Raises:
        ValueError: It is no network.
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
