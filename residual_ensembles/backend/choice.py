"""Which Keras backends the project runs on; known before Keras is imported."""

import importlib.util
import json
import os
from pathlib import Path

SUPPORTED = ("tensorflow", "jax")


def chosen() -> str:
    """Returns the backend that Keras will use: its environment variable, then its own file."""
    name = os.environ.get("KERAS_BACKEND")
    if name:
        return name
    home = os.environ.get("KERAS_HOME", Path.home() / ".keras")
    try:
        return json.loads((Path(home) / "keras.json").read_text())["backend"]
    except (OSError, ValueError, KeyError):
        return "tensorflow"


def problem() -> str | None:
    """Returns in one sentence why the chosen backend cannot be used, or None if it can."""
    name = chosen()
    if name not in SUPPORTED:
        return (
            f"the Keras backend is {name!r}, expected one of {', '.join(SUPPORTED)}: "
            "set the environment variable KERAS_BACKEND=tensorflow (or jax)"
        )
    if importlib.util.find_spec(name) is None:
        return (
            f"the Keras backend is {name!r}, which is not installed here: set the environment "
            "variable KERAS_BACKEND to the one that is, or make the other environment "
            "(make install for tensorflow, make install-jax for jax)"
        )
    return None
