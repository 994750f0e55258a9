"""Folders of checkpoints and of the networks of a study."""

import os
from pathlib import Path

from residual_ensembles.storage.files import read_manifest

VARIABLE = "RESIDUAL_ENSEMBLES_CHECKPOINTS"
"""The environment variable with the folder of checkpoints. It changes no result, and in a command
DVC would run everything again because of it."""
FOLDER = ".checkpoints"
"""Default of the folder of checkpoints."""


def folder() -> Path:
    """Returns the folder of checkpoints and cached results; it may not exist yet."""
    return Path(os.environ.get(VARIABLE, FOLDER))


def network_folder(results: Path, network: str, seed: int) -> Path:
    """Returns the folder of a network of a study: model.keras, history.csv, run.json."""
    return results / "networks" / f"{network}-{seed}"


def finished_network(results: Path, network: str, seed: int) -> Path:
    """Returns the folder of a network after checking that it is trained and its files are intact.

    Raises:
        ValueError: It is not trained, or one of its files was changed or damaged.
    """
    folder = network_folder(results, network, seed)
    try:
        finished = "model.keras" in read_manifest(folder)["files"]
    except FileNotFoundError:
        finished = False
    except ValueError as error:
        raise ValueError(
            f"Received a network of which {error}; train it again (python -m pipelines.train)."
        ) from None
    if not finished:
        raise ValueError(
            f"Received {folder}, in which no training has been finished; train the network "
            "first (python -m pipelines.train)."
        )
    return folder
