"""Keras' backend and settings, read before Keras is imported."""

import importlib.util
import json
import os
from pathlib import Path

from residual_ensembles.arguments import see

SUPPORTED = ("tensorflow", "jax")
SETTINGS = {"floatx": "float32", "image_data_format": "channels_last"}
"""Required values in keras.json, where it has any: the networks are built for them."""


def chosen() -> str:
    """Returns the backend that Keras will use, from KERAS_BACKEND or keras.json."""
    name = os.environ.get("KERAS_BACKEND")
    if name:
        return name
    try:
        return _keras_file()[1]["backend"]
    except (OSError, ValueError, KeyError):
        return "tensorflow"


def _keras_file() -> tuple[Path, dict]:
    """Returns path and content of keras.json; nothing for one that Keras is just writing."""
    path = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"), "keras.json")
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is no file")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    settings = json.loads(text) if text.strip() else {}
    if not isinstance(settings, dict):
        raise ValueError(f"it holds {settings!r}")
    return path, settings


def problem() -> str | None:
    """Returns in one sentence why Keras cannot be used with its settings, or None."""
    try:
        path, settings = _keras_file()
    except (OSError, ValueError) as error:
        return f"Keras' file keras.json cannot be read ({error}), expected JSON: mend or remove it"
    for setting, expected in SETTINGS.items():
        if settings.get(setting, expected) != expected:
            return (
                f"{path} sets {setting} to {settings[setting]!r}, expected {expected!r}: change it "
                "there, or name another folder in the environment variable KERAS_HOME"
            )
    name = chosen()
    if name not in SUPPORTED:
        return (
            f"the Keras backend is {name!r}, expected one of {', '.join(SUPPORTED)}: "
            f"set the environment variable KERAS_BACKEND=tensorflow (or jax). {see('how-to/jax')}"
        )
    if is_missing():
        others = [other for other in SUPPORTED if importlib.util.find_spec(other) is not None]
        choose = "".join(f"set the environment variable KERAS_BACKEND={o}, or " for o in others)
        return (
            f"the Keras backend is {name!r}, which is not installed here: {choose}"
            f"pip install 'residual-ensembles[{name}]'. {see('getting-started', 'extras')}"
        )
    return None


def is_missing() -> bool:
    """Returns whether the chosen backend is one of ours and not installed; imports nothing."""
    return chosen() in SUPPORTED and importlib.util.find_spec(chosen()) is None
