"""Lists the content of the folder of checkpoints, and removes what is old.

    python -m pipelines.clean_checkpoints --older_than=30

Without the flag nothing is removed. A removed training or sweep starts from the beginning next
time; results elsewhere stay.
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
"""Name of the folder of a training, or of a sweep within the folder of its kind."""
DAY = 86400.0


def define_flags() -> None:
    help_text = "days: remove what has no newer file; default: remove nothing"
    flags.DEFINE_float("older_than", None, help_text, 0.0)


class Work(NamedTuple):
    """Checkpoints of one training or sweep."""

    kind: str
    folder: Path
    n_bytes: int
    days: float
    """Days since a file was last written."""


def list_work(folder: Path, now: float) -> list[Work]:
    """Returns trainings and sweeps in the folder, the oldest first; `now` is `time.time()`."""
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
    folder = checkpoints.folder()
    works = list_work(folder, time.time())
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
