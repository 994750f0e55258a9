"""Says what the checkpoints' folder holds, and removes what has not been touched for long.

    python -m pipelines.clean_checkpoints [--older_than=30]

A training or sweep that is removed begins anew when it is asked for again; results elsewhere stay.

`python -m pipelines.clean_checkpoints --help`
"""

import re
import shutil
import time
from pathlib import Path
from typing import NamedTuple

from absl import flags

from residual_ensembles import cli
from residual_ensembles.storage import checkpoints

FLAGS = flags.FLAGS
WORK = re.compile("[0-9a-f]{16}")
"""The name of the folder of one training; or of one sweep, within the folder of its kind."""
DAY = 86400.0


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_float(
        "older_than",
        None,
        "days: remove what no file was added to for as long; default: remove nothing",
        0.0,
    )


class Work(NamedTuple):
    """What is kept of one training or sweep."""

    kind: str
    folder: Path
    n_bytes: int
    days: float
    """Since a file of it was last written."""


def kept(folder: Path, now: float) -> list[Work]:
    """Returns what the folder holds, the oldest first.

    Args:
        folder: Of all checkpoints.
        now: Seconds since 1970.
    """
    result = []
    for work in (*folder.glob("*/"), *folder.glob("*/*/")):
        if WORK.fullmatch(work.name):
            kind = "training" if work.parent == folder else work.parent.name
            stats = [path.lstat() for path in (work, *work.rglob("*"))]
            newest = max(each.st_mtime for each in stats)
            n_bytes = sum(each.st_size for each in stats)
            result.append(Work(kind, work, n_bytes, (now - newest) / DAY))
    return sorted(result, key=lambda work: (-work.days, work.folder))


def main() -> None:
    """Lists the folder, and removes what is older than asked."""
    folder = checkpoints.folder()
    works = kept(folder, time.time())
    for work in works:
        is_old = FLAGS.older_than is not None and work.days > FLAGS.older_than
        print(
            f"{work.n_bytes / 2**20:10.1f} MiB  {work.days:7.1f} days  {work.kind}  {work.folder}"
            + ("  removed" if is_old else "")
        )
        if is_old:
            shutil.rmtree(work.folder)
    total = sum(work.n_bytes for work in works) / 2**20
    print(f"{len(works)} trainings and sweeps, {total:.1f} MiB in {folder}")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
