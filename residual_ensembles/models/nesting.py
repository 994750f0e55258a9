"""Layers within layers: built once, saved with the layers in them, and known to Keras."""

import importlib

import keras


def register_all() -> None:
    """Registers every class of ours with Keras, also those of packages that import this one.

    The file of a network may hold any of them, and Keras knows only those that were imported.
    """
    importlib.import_module("residual_ensembles.unraveling.keras_registration")


def build_once(layer: keras.layers.Layer, input_shape: tuple) -> tuple:
    """Builds `layer` unless it is built, and returns its output shape.

    A layer that is loaded builds its own layers first; building them again is an error in Keras.
    """
    if not layer.built:
        layer.build(input_shape)
    return tuple(layer.compute_output_shape(input_shape))


def deserialized(config: dict, *names: str) -> dict:
    """Returns `config` with the layers (or lists of layers) under `names` deserialized."""
    made = {name: keras.saving.deserialize_keras_object(config[name]) for name in names}
    return {**config, **made}
