"""Networks from files, of this project or of others, as chains."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import keras

from residual_ensembles.arguments import checked
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.nesting import register_all
from residual_ensembles.unraveling.chain import unravel


@checked
def load(
    path: str | os.PathLike,
    modules: Sequence[str | Callable] | Callable | None = None,
    boundaries: Iterable[str | Sequence[str]] | None = None,
    input_shape: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    image_shape: Sequence[int] | None = None,
) -> Chain:
    """Returns the network in a file as a chain; a chain that was saved is not unraveled again.

    Args:
        path: A file that `keras.Model.save` wrote.
        modules: Layers that are modules by themselves, as `unravel` takes them.
        boundaries: Additions to cut at, as `unravel` takes them.
        input_shape: Shape of an input whose size is free, as `unravel` takes it.
        image_shape: Image shape of the data, for sizes that the network leaves free.

    Raises:
        ValueError: The file is not there or Keras cannot load it; or the network cannot be cut.

    Example:
        >>> import keras
        >>> x = keras.Input((4,))
        >>> y = keras.layers.Add(name="sum")([x, keras.layers.Dense(4)(x)])
        >>> keras.Model(x, y, name="mine").save("mine.keras")
        >>> chain = load("mine.keras")
        >>> chain.name, [module.title for module in chain.modules]
        ('mine', ['sum'])
    """
    model = read(path)
    if isinstance(model, Chain):
        return model
    if input_shape is None and image_shape is not None:
        input_shape = _filled(model, image_shape)
    return unravel(model, boundaries=boundaries, modules=modules, input_shape=input_shape)


def check_file(path: str | os.PathLike) -> None:
    """Raises a ValueError where there is no file of a network."""
    path = Path(path)
    if (path / "saved_model.pb").is_file():
        raise ValueError(
            f"Received the network {path}, a folder in TensorFlow's SavedModel format, which keeps "
            "no layers, expected a .keras or .h5 file: load it where it was made, and save it so."
        )
    if not path.is_file():
        is_folder = path.is_dir()
        raise ValueError(
            f"Received the network {path}, which is {'a folder' if is_folder else 'not there'}, "
            "expected a file that keras.Model.save wrote."
        )


def _filled(model: keras.Model, image_shape: Sequence[int]) -> dict[str, tuple] | None:
    """Returns input shapes, free sizes filled in; None where none is free or one does not fit."""
    shapes = {x.name: tuple(x.shape[1:]) for x in model.inputs or ()}
    free = [name for name, shape in shapes.items() if None in shape]
    if not free or any(len(shapes[name]) != len(image_shape) for name in free):
        return None
    return {
        name: tuple(a or b for a, b in zip(shape, image_shape, strict=True))
        if name in free
        else shape
        for name, shape in shapes.items()
    }


def read(path: str | os.PathLike) -> keras.Model:
    """Returns the Keras model in a file; a ValueError where there is none."""
    check_file(path)
    register_all()
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # damage makes zipfile, zlib, h5py and Keras raise what they meet
        raise ValueError(
            f"Received {path}, which Keras cannot load: {_first_line(error)}. A network with "
            "layers of its own, or that was quantized, is taken apart from Python, where it is "
            "known: residual_ensembles.unravel(model)."
        ) from error


def _first_line(error: Exception) -> str:
    """Returns the beginning of what Keras says of a file, which goes on for pages."""
    message = " ".join(str(error).split())
    return f"{message[:300]}…" if len(message) > 300 else message.rstrip(".")
