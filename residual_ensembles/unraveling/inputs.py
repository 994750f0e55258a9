"""Inputs as a model takes them, and one by one."""

from collections.abc import Mapping
from typing import Any

from keras import tree

from residual_ensembles.models import _keras_internals
from residual_ensembles.unraveling.graph import functional


def structured(model, flat: list):
    """Returns flat inputs as a model takes them: one alone, a list, or a dictionary."""
    structure = _structure(model)
    if structure is None or (len(flat) == 1 and not isinstance(structure, Mapping)):
        return flat[0]
    return tree.pack_sequence_as(structure, flat)


def in_order(model, x: Any) -> list:
    """Returns inputs one by one, in the order of the model's.

    Args:
        model: A functional or sequential model.
        x: As the model takes them; a dictionary may go by the names of the inputs, too. Or all of
            them packed, as one array.

    Raises:
        ValueError: There are others, or not as many, as the model has.
    """
    names, structure = [own.name for own in model.inputs], _structure(model)
    if isinstance(x, Mapping):
        if isinstance(structure, Mapping) and set(structure) <= set(x):
            return tree.flatten({key: x[key] for key in structure})
        if not set(names) <= set(x):
            raise ValueError(
                f"Received inputs named {', '.join(map(str, x))}, expected {', '.join(names)}."
            )
        return [x[name] for name in names]
    is_several = isinstance(x, list | tuple) and all(hasattr(each, "shape") for each in x)
    flat = tree.flatten(x) if is_several else [x]
    packed = len(flat) == 1 and not is_several
    if len(flat) != len(names) and not packed:
        raise ValueError(f"Received {len(flat)} inputs, expected {len(names)}: {', '.join(names)}.")
    return flat


def _structure(model):
    own = functional(model)
    return None if own is None else _keras_internals.inputs_structure(own)
