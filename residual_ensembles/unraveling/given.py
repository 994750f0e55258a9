"""Networks that a study is given and does not train: files, and what Keras brings along."""

import sys
from collections.abc import Sequence
from pathlib import Path

import keras

from residual_ensembles.models.chain import Chain
from residual_ensembles.unraveling.loading import load
from residual_ensembles.unraveling.unravel import unravel

FILE, APPLICATION = "keras:", "application:"
WEIGHTS = ("imagenet", "random")


def is_given(model: str) -> bool:
    """Whether the name of a model is that of a network that is given."""
    return model.startswith((FILE, APPLICATION))


def check_name(model: str, weights: str = "imagenet") -> None:
    """Refuses a network that is not there, before anything is computed.

    Args:
        model: `keras:PATH.keras` or `application:NAME`.
        weights: Of an application, one of `WEIGHTS`.

    Raises:
        ValueError: There is no such file, no such network in `keras.applications`, or no such
            weights.
    """
    if weights not in WEIGHTS:
        raise ValueError(f"Received weights={weights!r}, expected one of {', '.join(WEIGHTS)}.")
    kind, _, name = model.partition(":")
    if any(c.isspace() or c in "'\"$`" for c in name):
        raise ValueError(f"Received model={model!r}, expected a name without blanks and quotes.")
    if kind == "keras" and not Path(name).is_file():
        raise ValueError(f"Received model={model}, but there is no file {name}.")
    if kind == "application" and not callable(_builder(name)):
        raise ValueError(
            f"Received model={model}, expected the name of a network in keras.applications, such "
            "as application:ResNet50V2."
        )


def _builder(name: str):
    return getattr(keras.applications, name, None) if name[:1].isupper() else None


def given(
    model: str, picture_shape: Sequence[int], n_classes: int, weights: str = "imagenet"
) -> Chain:
    """Returns a given network as a chain that takes pictures in 0..255.

    Args:
        model: `keras:PATH.keras`, or `application:NAME`, which is told to prepare pictures as its
            authors did.
        picture_shape: `(height, width, channels)` of the data.
        n_classes: Classes of the data; with weights of ImageNet an application has its 1,000.
        weights: Of an application: "imagenet", which Keras downloads, or "random".

    Raises:
        ValueError: There is no such network, or it cannot be had or cut.
    """
    check_name(model, weights)
    name = model.partition(":")[2]
    if model.startswith(FILE):
        return load(name, input_shape=tuple(picture_shape))
    return unravel(_application(name, tuple(picture_shape), n_classes, weights))


def _application(name: str, shape: tuple, n_classes: int, weights: str) -> keras.Model:
    build = _builder(name)
    classes = 1000 if weights == "imagenet" else n_classes
    try:
        inner = build(
            input_shape=shape, weights=None if weights == "random" else weights, classes=classes
        )
    except Exception as error:  # what a failed download raises has no type of its own
        raise ValueError(
            f"Received application:{name} with weights={weights} for pictures of {shape}, which "
            f"Keras cannot build: {error}"
        ) from error
    x = keras.Input(shape, name="picture")
    prepared = sys.modules[build.__module__].preprocess_input(x)
    return keras.Model(x, inner(prepared), name=name)
