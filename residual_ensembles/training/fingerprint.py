"""What makes two runs the same run."""

import hashlib
import json
from pathlib import Path

import keras

from residual_ensembles import backend

LIBRARY = Path(__file__).resolve().parents[1]
# The rooms whose code decides what weights come out; a test holds this list against the imports.
CODE = ("backend", "data", "models", "training", "randomness.py")


def code_checksum() -> str:
    """Returns the SHA-256 of the source files that training uses."""
    digest = hashlib.sha256()
    for place in CODE:
        root = LIBRARY / place
        for file in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            digest.update(file.relative_to(LIBRARY).as_posix().encode() + b"\0")
            digest.update(file.read_bytes())
    return digest.hexdigest()


def fingerprint(settings: dict, data_checksum: str) -> str:
    """Returns the name of a run: 16 hexadecimal digits of everything that determines its result.

    Args:
        settings: All settings, as plain values.
        data_checksum: Of the prepared data.
    """
    everything = {
        "settings": settings,
        "data": data_checksum,
        "code": code_checksum(),
        "versions": {"keras": keras.__version__, **backend.VERSIONS},
    }
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:16]
