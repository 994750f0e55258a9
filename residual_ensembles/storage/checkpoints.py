"""Where things are kept: the networks of a study, and the state of unfinished work."""

import os
from pathlib import Path

VARIABLE = "RESIDUAL_ENSEMBLES_CHECKPOINTS"
"""The environment variable that says where; it changes no result, and DVC would run everything
again if it stood in a command."""
FOLDER = ".checkpoints"
"""Where it says nothing."""


def folder() -> Path:
    """Returns the folder of unfinished work; it may not be there yet."""
    return Path(os.environ.get(VARIABLE, FOLDER))


def network_folder(results: Path, network: str, seed: int) -> Path:
    """Returns the folder of a network: model.keras, history.csv, run.json.

    Args:
        results: Folder of the study's results.
        network: Its name in tables.
        seed: It was trained with.
    """
    return results / "networks" / f"{network}-{seed}"
