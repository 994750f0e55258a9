"""Keras backends and settings that the project runs on; known before Keras is imported."""

import importlib.util
import json
import os
from pathlib import Path

SUPPORTED = ("tensorflow", "jax")
SETTINGS = {"floatx": "float32", "image_data_format": "channels_last"}
"""What Keras' own file has to say of these, where it says anything: the networks are built so."""


def chosen() -> str:
    """Returns the backend that Keras will use: its environment variable, then its own file."""
    name = os.environ.get("KERAS_BACKEND")
    if name:
        return name
    try:
        return _keras_file()[1]["backend"]
    except (OSError, ValueError, KeyError):
        return "tensorflow"


def _keras_file() -> tuple[Path, dict]:
    """Where Keras' own file is, and what it says; one that Keras is just making says nothing."""
    path = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"), "keras.json")
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is no file")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    said = json.loads(text) if text.strip() else {}
    if not isinstance(said, dict):
        raise ValueError(f"it holds {said!r}")
    return path, said


def problem() -> str | None:
    """Returns in one sentence why Keras cannot be used as it is set up, or None if it can."""
    try:
        path, said = _keras_file()
    except (OSError, ValueError) as error:
        return f"Keras' file keras.json cannot be read ({error}), expected JSON: mend or remove it"
    for setting, expected in SETTINGS.items():
        if said.get(setting, expected) != expected:
            return (
                f"{path} sets {setting} to {said[setting]!r}, expected {expected!r}: change it "
                "there, or name another folder in the environment variable KERAS_HOME"
            )
    name = chosen()
    if name not in SUPPORTED:
        return (
            f"the Keras backend is {name!r}, expected one of {', '.join(SUPPORTED)}: "
            "set the environment variable KERAS_BACKEND=tensorflow (or jax)"
        )
    if importlib.util.find_spec(name) is None:
        return (
            f"the Keras backend is {name!r}, which is not installed here: set the environment "
            "variable KERAS_BACKEND to the one that is, or install it: "
            f"pip install 'residual-ensembles[{name}]'"
        )
    return None
