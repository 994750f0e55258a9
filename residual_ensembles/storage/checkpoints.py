"""Where things are kept: the networks of a study, and the state of unfinished work."""

import os
from pathlib import Path

from residual_ensembles.storage.files import read_manifest

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
        seed: Seed that the network was trained with.
    """
    return results / "networks" / f"{network}-{seed}"


def finished_network(results: Path, network: str, seed: int) -> Path:
    """Returns the folder of a network whose training is finished, and whose files are whole.

    Args:
        results: Folder of the study's results.
        network: Its name in tables.
        seed: Seed that the network was trained with.

    Raises:
        ValueError: It is not there, or a file of it is no longer what it was.
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
