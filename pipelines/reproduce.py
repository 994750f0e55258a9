"""Runs the full default study, from images to page, and tells the cost of each stage.

    python -m pipelines.reproduce

`make reproduce` runs this after the installation. At the end it prints, for each program that ran,
wall-clock seconds, processor seconds of all its processes, and the peak memory of the largest, and
writes the same to `results/<study>/cost.csv`. Finished stages cost nothing and are not listed.
"""

import contextlib
import fcntl
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from pipelines import study
from residual_ensembles import cli
from residual_ensembles.backend import interruption
from residual_ensembles.cli import COST_FILE, children_peak_mib, read_costs
from residual_ensembles.storage.files import write_csv
from residual_ensembles.storage.temporary import TemporaryFolder

STEPS = (
    ("python", "-m", "pipelines.compose"),
    ("dvc", "repro"),
)
DVC_LOCKS = Path(".dvc", "tmp", "rwlock")
"""Which stage of a living DVC reads and writes what."""


def main() -> int:
    """Runs the steps and returns the exit status of the first that failed, or 0."""
    begun, status = time.perf_counter(), 0
    remove_damaged_locks()
    with TemporaryFolder() as folder:
        file = Path(folder) / "costs.jsonl"
        environment = {**os.environ, COST_FILE: str(file)}
        for step in STEPS:
            print(" ".join(step), flush=True)
            status = subprocess.call(  # noqa: S603
                step, env=environment, preexec_fn=interruption.end_with_parent
            )
            if status:
                break
        costs = read_costs(file)
    if status and not costs:  # the parameters themselves may be what was refused
        return status
    results = Path("results") / study.load().name
    if costs:  # else everything was finished, and cost.csv is there
        table = cost_table(costs, time.perf_counter() - begun)
        write_csv(results / "cost.csv", table)
        print(table.to_string(index=False, float_format="{:.1f}".format))
    if not status:
        print(f"the page: {(results / 'report.html').resolve()}")
    return status


def remove_damaged_locks() -> None:
    """Removes DVC's file of locks where a DVC was killed while it wrote it.

    DVC does not write it in one step, and refuses every command while it is damaged. A living DVC
    that writes it holds the lock of the file beside it.
    """
    with contextlib.suppress(FileNotFoundError), DVC_LOCKS.with_suffix(".lock").open("rb") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        try:
            json.loads(DVC_LOCKS.read_bytes())
        except ValueError:
            DVC_LOCKS.unlink()
            print(f"removed {DVC_LOCKS}, which a killed DVC had left half written", flush=True)


def cost_table(costs: list[dict], seconds: float) -> pd.DataFrame:
    """Returns the cost of each program, then of DVC with all the rest, then the total."""
    table = pd.DataFrame(costs, columns=["program", "seconds", "processor_seconds", "peak_mib"])
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = {
        "program": "total",
        "seconds": seconds,
        "processor_seconds": used.ru_utime + used.ru_stime,
        "peak_mib": children_peak_mib(),
    }
    rest = {
        "program": "DVC and the rest",
        **{name: total[name] - table[name].sum() for name in ("seconds", "processor_seconds")},
    }
    return pd.concat([table, pd.DataFrame([rest, total])], ignore_index=True).round(1)


if __name__ == "__main__":
    cli.show_help(__doc__)
    if sys.argv[1:]:
        sys.exit(
            f"error: Received {' '.join(sys.argv[1:])}, expected nothing: params.yaml says what to "
            "run, and python -m pipelines.compose study=NAME writes it."
        )
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
