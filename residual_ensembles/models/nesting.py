"""Layers within layers: built once, saved with the layers in them, and known to Keras."""

import importlib

import keras
from keras import ops

from residual_ensembles.models import _keras_internals


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


def copy_state(layer: keras.layers.Layer, copy: keras.layers.Layer) -> None:
    """Loads into the copy of a layer what the layer and those within it save of themselves.

    That is more than weights: state derived from them, as in an adapted `Normalization`, is
    computed when they are loaded.
    """
    pairs = zip(
        _keras_internals.flat_layers(layer), _keras_internals.flat_layers(copy), strict=True
    )
    for one, other in pairs:
        copy_own_state(one, other)


def copy_own_state(layer: keras.layers.Layer, copy: keras.layers.Layer) -> None:
    """Loads into the copy of a layer what the layer alone saves of itself."""
    store: dict = {}
    layer.save_own_variables(store)
    if store:
        copy.load_own_variables({name: ops.convert_to_numpy(v) for name, v in store.items()})


def deserialized(config: dict, *names: str) -> dict:
    """Returns `config` with the layers (or lists of layers) under `names` deserialized."""
    made = {name: keras.saving.deserialize_keras_object(config[name]) for name in names}
    return {**config, **made}
