"""The folder of results that a run leaves, and how it gets from where it is kept to its place."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from residual_ensembles.storage.files import atomic_path, write_csv, write_json


@dataclass(frozen=True)
class Outputs:
    """Where the results of a run are."""

    folder: Path

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
        """The mean openness of a highway network's gates, before and after."""
        return self.folder / "gates.csv"

    @property
    def run(self) -> Path:
        """What made the result, and how good it is; written last."""
        return self.folder / "run.json"

    @property
    def snapshots(self) -> Path:
        """The network at chosen epochs."""
        return self.folder / "snapshots"

    def read_run(self, fingerprint: str) -> dict | None:
        """Returns run.json where this very run has left all its results, else None."""
        try:
            run = json.loads(self.run.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        complete = self.model.exists() and self.history.exists() and isinstance(run, dict)
        return run if complete and run.get("fingerprint") == fingerprint else None

    def finished(self, fingerprint: str) -> bool:
        """Whether this very run has left all its results."""
        return self.read_run(fingerprint) is not None

    def read_history(self) -> list[dict]:
        """Returns one dictionary for each epoch."""
        return pd.read_csv(self.history).to_dict("records")

    def clear(self) -> None:
        """Removes what tells one run's results from another's."""
        self.run.unlink(missing_ok=True)
        self.gates.unlink(missing_ok=True)
        shutil.rmtree(self.snapshots, ignore_errors=True)

    def add_snapshot(self, file: Path) -> None:
        """Copies the network after an epoch to where it belongs."""
        _copy(file, self.snapshots / file.name)

    def publish(self, place: "Outputs", network: str) -> dict:
        """Copies these results, in which no network has a name yet; run.json last.

        Args:
            place: Where they are wanted.
            network: What the network is called in tables.

        Returns:
            What is in run.json there.
        """
        for file in (self.model, self.history):
            _copy(file, place.folder / file.name)
        for file in sorted(self.snapshots.glob("epoch-*.keras")):
            place.add_snapshot(file)
        if self.gates.exists():
            gates = pd.read_csv(self.gates, dtype=str)  # digits stay as they are
            gates.insert(0, "network", network)
            write_csv(place.gates, gates)
        run = {"network": network, **json.loads(self.run.read_text(encoding="utf-8"))}
        write_json(place.run, run)
        return run


def _copy(file: Path, to: Path) -> None:
    with atomic_path(to) as temporary:
        shutil.copyfile(file, temporary)
