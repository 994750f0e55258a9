"""Checkpoints: the state of a run between two steps, in one file."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from keras import ops

from residual_ensembles.storage.files import atomic_path, content_of, read_npz, remove_partial

FORMAT = 2  # raised when a change makes older readers wrong
FILE = "checkpoint.npz"
SNAPSHOTS = "snapshots"
"""Folder of the networks that the run has saved so far."""


@dataclass
class Progress:
    """Progress of a run.

    Args:
        step: Steps done.
        seconds: Seconds spent on them, over all resumptions.
        history: One dictionary for each finished epoch.
        snapshots: Size and checksum of each saved network, by file name.
    """

    step: int = 0
    seconds: float = 0.0
    history: list[dict] = field(default_factory=list)
    snapshots: dict[str, dict] = field(default_factory=dict)


def write(folder: Path, variables: list, progress: Progress, fingerprint: str) -> None:
    """Writes the state of a run, atomically."""
    header = {"format": FORMAT, "fingerprint": fingerprint, **vars(progress)}
    arrays = {f"v{i}": ops.convert_to_numpy(v.value) for i, v in enumerate(variables)}
    with atomic_path(folder / FILE) as temporary:
        np.savez(temporary, header=np.array(json.dumps(header)), **arrays)


def read(folder: Path, variables: list, fingerprint: str) -> Progress | None:
    """Restores `variables` to the state of the run in `folder`.

    Returns:
        Progress of the run; None without a checkpoint, or where its snapshots are missing or
        damaged, which is printed.

    Raises:
        ValueError: The checkpoint cannot be read, belongs to another run or network, or was
            written by a newer version of this project.
    """
    path = folder / FILE
    if not path.exists():
        return None
    mend = f"remove {path} to start afresh"
    try:
        stored = read_npz(path)
        header = json.loads(str(stored.pop("header")))
        format_, owner = int(header.pop("format")), header.pop("fingerprint")
        arrays = [stored[f"v{i}"] for i in range(len(stored))]
        progress = Progress(**header) if format_ <= FORMAT else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"The checkpoint {path} cannot be read ({error}); {mend}.") from error
    if progress is None:
        raise ValueError(
            f"The checkpoint {path} has format {format_}, this version reads up to {FORMAT}: "
            f"update residual-ensembles, or {mend}."
        )
    shapes = [a.shape for a in arrays]
    if owner != fingerprint or shapes != [tuple(v.shape) for v in variables]:
        raise ValueError(f"The checkpoint {path} is of another network or run; {mend}.")
    for name, content in progress.snapshots.items():
        if not _is_intact(folder / SNAPSHOTS / name, content):
            print(f"{folder / SNAPSHOTS / name} is damaged: training begins anew", flush=True)
            return None
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return progress


def _is_intact(path: Path, content: dict) -> bool:
    try:
        return content_of(path) == content
    except OSError:
        return False


def remove(folder: Path) -> None:
    """Removes the state of a finished run, and temporary files of killed processes."""
    (folder / FILE).unlink(missing_ok=True)
    shutil.rmtree(folder / SNAPSHOTS, ignore_errors=True)
    remove_partial(folder)
