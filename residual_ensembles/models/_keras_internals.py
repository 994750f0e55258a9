"""All private attributes of Keras that this library uses: they are why its version is pinned."""

import keras
from keras.src.models.functional import Functional as Functional


def flat_layers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns a layer and all that it is made of, in an order that a copy of it has too."""
    return layer._flatten_layers()


def functional_of(model: keras.Sequential) -> keras.Model | None:
    """Returns the functional model that a sequential one is, None before it is built."""
    return model._functional


def nodes_by_depth(model: keras.Model) -> dict[int, list]:
    """Returns the calls of a functional model's layers, by their distance from its outputs."""
    return model._nodes_by_depth


def inputs_structure(model: keras.Model):
    """Returns how the inputs of a functional model are nested; None where it does not say."""
    return getattr(model, "_inputs_struct", None)


def outputs_structure(model: keras.Model):
    """Returns how the outputs of a functional model are nested."""
    return model._outputs_struct


def declared_output_shape(layer: keras.layers.Lambda):
    """Returns the output shape that a Lambda layer was made with."""
    return layer._output_shape


def compile_config(model: keras.Model) -> dict:
    """Returns the arguments that a compiled model was compiled with."""
    return model._compile_config.config


def takes_training(layer) -> bool:
    """Returns whether a layer is called with `training`."""
    return "training" in getattr(layer, "_call_context_args", ())


def get_mask(tensor):
    """Returns the mask that Keras attached to a tensor, or None."""
    return keras.src.backend.get_keras_mask(tensor)


def set_mask(tensor, mask) -> None:
    """Attaches a mask to a tensor."""
    keras.src.backend.set_keras_mask(tensor, mask)
