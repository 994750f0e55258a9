"""External networks, which a study does not train: files, and those of `keras.applications`."""

import sys
from collections.abc import Sequence

import keras

from residual_ensembles.models.chain import Chain
from residual_ensembles.parameters import EXTERNAL_PREFIXES, ExternalNetwork
from residual_ensembles.unraveling.chain import unravel
from residual_ensembles.unraveling.loading import check_file, load, read

FILE, APPLICATION = EXTERNAL_PREFIXES
FREE_SIZE = 32
"""Size of images for a network that leaves it free, where only its modules matter."""


def check_name(parameters: ExternalNetwork) -> None:
    """Refuses a network that is neither a file nor in `keras.applications`."""
    kind, _, name = parameters.model.partition(":")
    if kind == "keras":
        check_file(name)
    elif not callable(_builder(name)):
        raise ValueError(
            f"Received model={parameters.model}, expected the name of a network in "
            "keras.applications, such as application:ResNet50V2."
        )


def _builder(name: str):
    return getattr(keras.applications, name, None) if name[:1].isupper() else None


def load_external(parameters: ExternalNetwork, image_shape: Sequence[int], n_classes: int) -> Chain:
    """Returns an external network as a chain that takes images in 0..255.

    One of `keras.applications` is preceded by the preprocessing of its authors; with their weights
    it has the 1,000 classes of ImageNet, whatever those of the data are.
    """
    check_name(parameters)
    name, options = parameters.model.partition(":")[2], _boundaries_and_modules(parameters)
    if parameters.model.startswith(FILE):
        return load(name, **options, image_shape=image_shape)
    return unravel(_application(name, tuple(image_shape), n_classes, parameters.weights), **options)


def build_untrained(parameters: ExternalNetwork, image_shape: Sequence[int | None]) -> Chain:
    """Returns an external network as a chain to inspect its modules, without downloading weights.

    Sizes of the images are None where they are not known yet.
    """
    check_name(parameters)
    name, options = parameters.model.partition(":")[2], _boundaries_and_modules(parameters)
    if parameters.model.startswith(APPLICATION):
        *sizes, channels = image_shape
        shape = None if None in sizes else (*sizes, channels or 3)
        return unravel(_application(name, shape, 1000, "random"), **options)
    network = read(name)
    if isinstance(network, Chain):
        return network
    return unravel(network, **options, input_shape=_filled(network, image_shape))


def _boundaries_and_modules(parameters: ExternalNetwork) -> dict:
    return {"boundaries": parameters.boundaries or None, "modules": parameters.modules or None}


def _filled(network: keras.Model, image_shape: Sequence[int | None]) -> dict[str, tuple]:
    """Returns a shape for each input: that of the data, its own, or FREE_SIZE."""
    shapes = {x.name: x.shape[1:] for x in network.inputs or ()}
    if [len(shape) for shape in shapes.values()] == [len(image_shape)]:
        name = next(iter(shapes))
        shapes[name] = [a or b for a, b in zip(image_shape, shapes[name], strict=True)]
    return {name: tuple(size or FREE_SIZE for size in shape) for name, shape in shapes.items()}


def _application(name: str, shape: tuple | None, n_classes: int, weights: str) -> keras.Model:
    build = _builder(name)
    classes = 1000 if weights == "imagenet" else n_classes
    try:
        inner = build(
            input_shape=shape, weights=None if weights == "random" else weights, classes=classes
        )
        x = keras.Input(inner.input_shape[1:], name="image")
        prepared = sys.modules[build.__module__].preprocess_input(x)
        return keras.Model(x, inner(prepared), name=name)
    except Exception as error:  # what a failed download raises has no type of its own
        raise ValueError(
            f"Received application:{name} with weights={weights} for images of {shape}, which "
            f"Keras cannot build: {error}"
        ) from error
