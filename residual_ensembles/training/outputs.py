"""The folder of results of a run.

Equal runs leave equal folders, except for times.json: how long a run took is not a result, so that
file is not in the manifest, and .dvcignore hides it from DVC.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from residual_ensembles.arguments import require_instance
from residual_ensembles.storage.files import (
    MANIFEST,
    atomic_path,
    read_manifest,
    remove_partial,
    write_csv,
    write_json,
    write_manifest,
)


@dataclass(frozen=True)
class Outputs:
    """Files of the results of a run."""

    folder: Path

    def __post_init__(self):
        require_instance("folder", self.folder, Path)

    @property
    def model(self) -> Path:
        """The trained network."""
        return self.folder / "model.keras"

    @property
    def history(self) -> Path:
        """One row for each epoch."""
        return self.folder / "history.csv"

    @property
    def gates(self) -> Path:
        """Mean transform gate of each module of a highway network, before and after training."""
        return self.folder / "gates.csv"

    @property
    def run(self) -> Path:
        """Settings, provenance and errors of the run."""
        return self.folder / "run.json"

    @property
    def times(self) -> Path:
        """Seconds that the run took."""
        return self.folder / "times.json"

    @property
    def live(self) -> Path:
        """Folder of DVCLive."""
        return self.folder / "live"

    @property
    def snapshots(self) -> Path:
        """The network at chosen epochs."""
        return self.folder / "snapshots"

    def finished(self, fingerprint: str) -> dict | None:
        """Returns run.json if this run is finished and all its results are intact, else None.

        Damage to finished results is printed.
        """
        try:
            if read_manifest(self.folder).get("fingerprint") == fingerprint:
                return json.loads(self.run.read_text(encoding="utf-8"))
        except FileNotFoundError:
            pass
        except ValueError as error:
            print(f"damaged results are made again: {error}", flush=True)
        return None

    def finish(self, fingerprint: str, run: dict, seconds: dict[str, float]) -> None:
        """Writes times.json, run.json and, once everything is there, the manifest."""
        write_json(self.times, {"fingerprint": fingerprint, **seconds})
        write_json(self.run, run)
        files = [self.model, self.history, self.run, *filter(Path.exists, [self.gates])]
        for folder in (self.snapshots, self.live):
            files += [path for path in folder.rglob("*") if path.is_file()]
        names = (path.relative_to(self.folder).as_posix() for path in files)
        write_manifest(self.folder, names, fingerprint=fingerprint)

    def read_history(self) -> list[dict]:
        """Returns one dictionary for each epoch, with the exact numbers that were written."""
        rows = pd.read_csv(self.history, dtype=str).to_dict("records")  # pandas 2 rounds numbers
        return [
            {name: int(x) if name in ("epoch", "step") else float(x) for name, x in row.items()}
            for row in rows
        ]

    def clear(self) -> None:
        """Removes what identifies the results of a run, and temporary files of killed ones."""
        for file in (self.folder / MANIFEST, self.run, self.times, self.gates):
            file.unlink(missing_ok=True)
        for folder in (self.snapshots, self.live):
            shutil.rmtree(folder, ignore_errors=True)
        remove_partial(self.folder)

    def add_snapshot(self, file: Path) -> None:
        """Copies a snapshot of the network into `snapshots`."""
        _copy(file, self.snapshots / file.name)

    def copy_to(self, other: "Outputs", network: str) -> dict:
        """Copies these results, under a network's name in tables, and returns run.json there."""
        for file in (self.model, self.history):
            _copy(file, other.folder / file.name)
        for file in sorted(self.snapshots.glob("epoch-*.keras")):
            other.add_snapshot(file)
        if self.gates.exists():
            gates = pd.read_csv(self.gates, dtype=str)  # digits stay as they are
            gates.insert(0, "network", network)
            write_csv(other.gates, gates)
        run = {"network": network, **json.loads(self.run.read_text(encoding="utf-8"))}
        other.finish(run["fingerprint"], run, self._seconds())
        return run

    def _seconds(self) -> dict[str, float]:
        """Returns times.json; nothing where it is damaged, as no result depends on it."""
        try:
            return dict(json.loads(self.times.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}


def _copy(file: Path, to: Path) -> None:
    with atomic_path(to) as temporary:
        shutil.copyfile(file, temporary)
