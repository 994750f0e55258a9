"""Modules of one kind: those that differ in their weights only, and can share compiled code."""

import json
from collections.abc import Collection

# What a layer's config says that makes no difference to what it computes.
NAMES = frozenset({"name", "seed"})


def kind_of(module, input_shape: tuple, ignored: Collection[str] = ()) -> str | None:
    """Returns what modules of one kind have in common, or None where a module cannot say.

    Args:
        module: A module of a chain.
        input_shape: Shape of what enters it, without batch.
        ignored: Further entries of the config in which modules of one kind may differ.
    """
    try:
        config = module.get_config()
    except (AttributeError, NotImplementedError):
        return None
    weights = [(tuple(v.shape), str(v.dtype)) for v in module.variables]
    common = _without(config, NAMES | set(ignored))
    return json.dumps([type(module).__qualname__, common, input_shape, weights], default=repr)


def _without(config, ignored: frozenset[str]):
    if isinstance(config, dict):
        return {k: _without(v, ignored) for k, v in sorted(config.items()) if k not in ignored}
    if isinstance(config, list | tuple):
        return [_without(v, ignored) for v in config]
    return config
