"""Where the state of unfinished work is kept."""

import os
from pathlib import Path

VARIABLE = "RESIDUAL_ENSEMBLES_CHECKPOINTS"
"""The environment variable that says where; it changes no result, and DVC would run everything
again if it stood in a command."""
FOLDER = ".checkpoints"
"""Where it says nothing."""


def folder() -> Path:
    """Returns the folder; it may not be there yet."""
    return Path(os.environ.get(VARIABLE, FOLDER))
