"""Layers within layers: built once, saved with what is in them, and found again by Keras."""

import importlib
from typing import Any

import keras


def register_all() -> None:
    """Registers every class of ours with Keras, also those of rooms that import this one.

    The file of a network may hold any of them, and a process that has just begun knows those that
    it happened to import.
    """
    importlib.import_module("residual_ensembles.unraveling.keras_registration")


def build_once(layer: Any, input_shape: Any) -> tuple:
    """Builds `layer` unless it is built, and returns the shape that leaves it.

    A layer that is loaded builds its own layers first; building them again is an error to Keras.
    """
    if not layer.built:
        layer.build(input_shape)
    return tuple(layer.compute_output_shape(input_shape))


def deserialized(config: dict, *names: str) -> dict:
    """Returns `config` with the layers (or lists of layers) called `names` made from theirs."""
    made = {name: keras.saving.deserialize_keras_object(config[name]) for name in names}
    return {**config, **made}
