"""A study, as the tables that its stages wrote: all that statistics, figures and page read."""

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from residual_ensembles.arguments import checked, require_integer, see
from residual_ensembles.models.architectures import EXTERNAL_KINDS, residual_kinds
from residual_ensembles.paths.study import gradient_tables
from residual_ensembles.storage.checkpoints import network_folder
from residual_ensembles.storage.columns import (
    ENSEMBLE_COLUMNS,
    EXACTNESS_COLUMNS,
    GATE_COLUMNS,
    HALF_GATE_COLUMNS,
    HISTORY_COLUMNS,
    LESION_COLUMNS,
    MEMBER_COLUMNS,
    MODULE_IMPORTANCE_COLUMNS,
    PRUNED_STEP_COLUMNS,
    TEXT_COLUMNS,
    UNKNOWN,
)
from residual_ensembles.storage.files import read_npz, require_file


@dataclass(frozen=True)
class Run:
    """One trained network, with the content of its run.json."""

    network: str
    seed: int
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """Kind of network; where nothing is written down, the first word of its name."""
        return str(self.facts.get("model") or self.network.split("_")[0])

    @property
    def is_external(self) -> bool:
        """Whether it is an external network, of whose training nothing is known."""
        return self.model in EXTERNAL_KINDS

    @property
    def gating(self) -> str:
        """Gating of the modules in training: none, effective_paths or stochastic_depth."""
        written = self.facts.get("gating")
        if written:
            return str(written)
        return next(
            (g for g in ("effective_paths", "stochastic_depth") if g in self.network), "none"
        )

    @property
    def dataset(self) -> Mapping[str, Any]:
        """Name, title and checksum of the images."""
        return self.facts.get("dataset") or {}


@dataclass(frozen=True)
class Tables:
    """Every table of one study. One that was not written is empty, with its columns.

    Attributes:
        folder: The study's folder, results/<study>.
        lesions: lesions.csv, one row per lesion.
        gradients: path_gradients.csv, one row per path length.
        gates: gates.csv of each network, one row per highway module.
        exactness: exactness.csv, one row per network: how far its lesions are exact.
        half_gates: half_gates.csv, one row per residual network that has a highway twin.
        ensemble: ensemble.csv, one row per sub-ensemble of small networks and way to vote.
        members: ensemble/members.csv, one row per small network.
        gradient_modules: path_gradients_modules.csv, one row per module.
        gradient_ranges: path_gradients_ranges.csv, one row per reading of the effective range.
        gradient_sums: path_gradients_sums.csv, one row per network and epoch.
        module_importance: module_importance.csv, one row per module whose importance was estimated.
        pruned_steps: pruned_steps.csv, one row for each network, and each deletion of a module.
        gradient_fits: path_gradients_fits.csv, one row per line through norms by length.
        gradient_cancellation: path_gradients_cancellation.csv, one row per path length.
        runs: The trained networks, in the order of lesions.csv.
    """

    folder: Path
    lesions: pd.DataFrame
    gradients: pd.DataFrame
    gates: pd.DataFrame
    exactness: pd.DataFrame
    half_gates: pd.DataFrame
    ensemble: pd.DataFrame
    members: pd.DataFrame
    gradient_modules: pd.DataFrame
    gradient_ranges: pd.DataFrame
    gradient_sums: pd.DataFrame
    module_importance: pd.DataFrame
    pruned_steps: pd.DataFrame
    gradient_fits: pd.DataFrame
    gradient_cancellation: pd.DataFrame
    runs: tuple[Run, ...]

    @property
    def study(self) -> str:
        """The study's name."""
        return self.folder.name

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks, in the study's order."""
        return tuple(dict.fromkeys(run.network for run in self.runs))

    def of(self, network: str) -> tuple[Run, ...]:
        """Returns the runs of one network, one per seed."""
        return tuple(run for run in self.runs if run.network == network)

    def named(self, models: tuple[str, ...], gating: str = "none") -> tuple[str, ...]:
        """Returns the networks of these models that were trained with this gating."""
        chosen = [r.network for r in self.runs if r.model in models and r.gating == gating]
        return tuple(dict.fromkeys(chosen))

    @property
    def plain(self) -> tuple[str, ...]:
        """The residual networks trained in the ordinary way."""
        return self.named(residual_kinds())

    def sweep(self, network: str, *sweeps: str) -> pd.DataFrame:
        """Returns the rows of lesions.csv of one network and these sweeps."""
        rows = self.lesions
        return rows[(rows.network == network) & rows.sweep.isin(sweeps)]

    def n_modules(self, network: str) -> int:
        """Returns how many modules a network has, 0 where no table says it."""
        for run in self.of(network):
            if run.facts.get("n_modules"):
                return int(run.facts["n_modules"])
        singles = self.sweep(network, "single_deletion").lesion
        return max((max(deleted(lesion), default=0) for lesion in singles), default=0)

    def downsampling(self, network: str) -> tuple[int, ...]:
        """Returns the modules (from 1) that change the shape of what passes through."""
        named = (run.facts.get("downsampling", ()) for run in self.of(network))
        return next((tuple(map(int, modules)) for modules in named if modules), ())

    def n_classes(self, network: str) -> int | None:
        """Returns how many classes the images have, None where no table says it."""
        for run in self.of(network):
            if run.dataset.get("n_classes"):
                return int(run.dataset["n_classes"])
            labels = self._predictions(network, run.seed).get("labels")
            if labels is not None:
                return int(labels.max()) + 1
        return None

    def wrong(self, network: str, seed: int) -> np.ndarray | None:
        """Returns which images each lesion is known to get wrong.

        Returns:
            Booleans `(lesions, images)`, a row per row of lesions.csv of this network and seed;
            None where predictions were not kept. An image that is not `known` is not wrong.
        """
        rows = self.lesions
        n = int(((rows.network == network) & (rows.seed == seed)).sum())
        wrong = self._wrong("lesions.csv", n, f"predictions/{network}-{seed}.npz")
        return None if wrong is None else wrong & self.known(network, seed)

    def known(self, network: str, seed: int) -> np.ndarray | None:
        """Returns which images each lesion was evaluated on, as `wrong` does."""
        predictions = self._predictions(network, seed).get("predictions")
        return None if predictions is None else predictions != UNKNOWN

    def sub_ensembles_wrong(self, seed: int) -> np.ndarray | None:
        """Returns which images each sub-ensemble of the ensemble gets wrong.

        Returns:
            Booleans `(rows, images)`, a row per row of ensemble.csv of this seed; None where
            there is no ensemble, or its predictions were not kept.
        """
        n = int((self.ensemble.seed == seed).sum())
        return self._wrong("ensemble.csv", n, f"ensemble/predictions-{seed}.npz")

    def _wrong(self, table: str, n: int, name: str) -> np.ndarray | None:
        """Returns which predictions of a file are wrong, after checking that it fits its table."""
        saved = self._read(name)
        if not {"predictions", "labels"} <= set(saved):
            return None
        if len(saved["predictions"]) != n:
            raise ValueError(
                f"{table} has {n} rows for the {len(saved['predictions'])} of {name}, expected as "
                "many. Run the stage that writes both again."
            )
        return saved["predictions"] != saved["labels"][None]

    def _predictions(self, network: str, seed: int) -> dict[str, np.ndarray]:
        return self._read(f"predictions/{network}-{seed}.npz")

    def _read(self, name: str) -> dict[str, np.ndarray]:
        if name not in self._cache:
            path = self.folder / name
            self._cache[name] = read_npz(path) if path.exists() else {}
        return self._cache[name]

    @cached_property
    def _cache(self) -> dict[str, dict[str, np.ndarray]]:
        return {}

    @property
    def provenance(self) -> dict[str, dict]:
        """Provenance of the lesions and of the path gradients, as far as it was saved."""
        paths = {name: self.folder / f"{name}_run.json" for name in ("lesions", "path_gradients")}
        return {name: _facts(path) for name, path in paths.items() if path.exists()}

    @property
    def seconds(self) -> float | None:
        """How long the whole study took, where `make reproduce` measured it."""
        costs = _table(self.folder / "cost.csv", ["seconds"])
        return float(costs.seconds.iloc[-1]) if len(costs) else None

    def history(self, run: Run) -> pd.DataFrame:
        """Returns one row per epoch of training; no row where it was not kept."""
        path = network_folder(self.folder, run.network, run.seed) / "history.csv"
        return _table(path, HISTORY_COLUMNS)

    @property
    def dataset_title(self) -> str:
        """Display name of the data set."""
        for run in self.runs:
            if run.dataset:
                return str(run.dataset.get("title") or run.dataset.get("name"))
        return self.study

    @property
    def is_imagenet(self) -> bool:
        """Whether the networks saw ImageNet."""
        return any(str(run.dataset.get("name", "")).startswith("imagenet") for run in self.runs)


def deleted(lesion: str) -> tuple[int, ...]:
    """Returns the modules that a lesion, as written in lesions.csv, deletes.

    >>> deleted("delete 3,7; swap 4-9")
    (3, 7)
    """
    parts = (part.strip() for part in str(lesion).split(";"))
    numbers = [part.removeprefix("delete ") for part in parts if part.startswith("delete ")]
    return tuple(int(n) for part in numbers for n in re.findall(r"\d+", part))


_FORMER_NAMES = {
    "worth.csv": "module_importance.csv",
    "n_redone": "n_reevaluated",
    "n_beyond": "n_threshold_violations",
    "unravelled": "unraveled",
    "unravelled_plain": "unraveled_plain",
    "picture": "image",
}
"""Names in results of an older format, and what they are called now."""


def _require_current(path: Path, names: Iterable[str]) -> None:
    """Refuses results of an older format by the names in them."""
    for name in set(names) & set(_FORMER_NAMES):
        raise ValueError(
            f"{path} is of an older format: received {name!r}, expected {_FORMER_NAMES[name]!r}. "
            "Make the results anew: `dvc repro`, or `python -m residual_ensembles.lesions` for "
            f"networks of your own. {see('reference/changelog', 'changed')}"
        )


_AGAIN = "Run the stage that writes it again."


def read_csv(path: Path, columns: Sequence[str], remedy: str = _AGAIN) -> pd.DataFrame:
    """Reads a table, compressed or not, in which text stays text.

    Raises:
        ValueError: It is damaged, of an older format, or lacks one of the columns.
    """
    try:
        require_file(path)
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        if content[-1:] not in (b"", b"\n"):
            raise ValueError("it ends within a row")
        names = pd.read_csv(BytesIO(content), nrows=0).columns
        frame = pd.read_csv(
            BytesIO(content),
            dtype=dict.fromkeys(TEXT_COLUMNS, str),
            keep_default_na=False,
            na_values={name: [""] if name in TEXT_COLUMNS else ["", "nan"] for name in names},
        )
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise ValueError(f"{path} cannot be read as a table ({error}). {remedy}") from None
    _require_current(path, frame.columns)
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(
            f"{path.name} lacks the columns {', '.join(missing)}; expected {', '.join(columns)}. "
            f"{remedy}"
        )
    return frame


def _table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Reads a table of a study, or the compressed one beside it; without either, it is empty."""
    if not path.exists():  # of a committed study, large tables are compressed
        path = path.with_name(path.name + ".gz")
    if not path.exists():
        return pd.DataFrame(columns=columns)
    frame = read_csv(path, columns)
    for column in columns:
        values = frame[column]
        if column not in TEXT_COLUMNS:
            no_number = values[pd.to_numeric(values, errors="coerce").isna() & values.notna()]
            if len(no_number):
                raise ValueError(
                    f"{path} has {no_number.iloc[0]!r} in the column {column}, expected a number. "
                    f"{_AGAIN}"
                )
        if column in ("network", "seed") and not values.notna().all():
            raise ValueError(f"{path} has a row without {column}, expected one in each. {_AGAIN}")
    return frame


def _facts(path: Path) -> dict:
    """Returns the content of a JSON file; nothing where there is none."""
    try:
        require_file(path)
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({error}); expected an object of JSON.") from None
    if not isinstance(facts, dict):
        raise ValueError(f"{path} holds {facts!r}; expected an object of JSON.")
    try:
        _check_facts(**facts)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error} Run the stage that writes it again.") from None
    return facts


@checked
def _check_facts(
    model: str | None = None,
    gating: str | None = None,
    depth: int | None = None,
    n_modules: int | None = None,
    n_parameters: int | None = None,
    epochs: int | None = None,
    downsampling: list[int] | None = None,
    seconds_training: float | None = None,
    revision: str | None = None,
    dataset: dict | None = None,
    versions: dict | None = None,
    hardware: dict | None = None,
    **others: object,
) -> None:
    """Refuses values in the JSON file of a run that have another type, or are out of range."""
    numbers = {"dataset.n_classes": (dataset or {}).get("n_classes"), "n_modules": n_modules}
    for name, number in numbers.items():
        if number is not None:
            require_integer(name, number, maximum=np.iinfo(np.int32).max)


def _run(folder: Path, network: str, seed: int) -> Run:
    files = network_folder(folder, network, seed)
    facts, times = _facts(files / "run.json"), _facts(files / "times.json")
    if times.get("fingerprint") == facts.get("fingerprint"):  # else those of an earlier training
        facts = times | facts
    _require_current(files / "run.json", [str(facts.get("model"))])
    return Run(network, seed, facts)


def _gates(folder: Path, runs: tuple[Run, ...]) -> pd.DataFrame:
    """Reads gates.csv of each highway network."""
    files = [network_folder(folder, run.network, run.seed) / "gates.csv" for run in runs]
    tables = [_table(file, GATE_COLUMNS) for file in files if file.exists()]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=GATE_COLUMNS)


@checked
def read_tables(folder: str | Path) -> Tables:
    """Reads what there is of a study.

    The networks are those of lesions.csv: what an earlier study left in the folder does not count.

    Args:
        folder: results/<study>.

    Raises:
        ValueError: The folder is missing, or a table is not what its name says.

    Example:
        >>> tables = read_tables(results)
        >>> tables.networks, tables.sweep("resnet", "intact")["lesion"].tolist()
        (('resnet',), ['intact'])
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(
            f"there is no study in {folder}; expected the folder that the stages lesion_study and "
            "path_gradients write to. Run them first: dvc repro."
        )
    lesions = _table(folder / "lesions.csv", LESION_COLUMNS)
    pairs = lesions[["network", "seed"]].drop_duplicates().itertuples(index=False)
    runs = tuple(_run(folder, str(network), int(seed)) for network, seed in pairs)
    gradients = {
        f"gradient{suffix or 's'}": _table(folder / f"path_gradients{suffix}.csv", columns)
        for suffix, columns in gradient_tables.COLUMNS.items()
        if suffix != "_quantiles"
    }
    if not (folder / "module_importance.csv").exists():
        _require_current(folder, (path.name for path in folder.glob("*.csv")))
    _require_current(folder / "path_gradients.csv", gradients["gradients"].target)
    return Tables(
        folder=folder,
        lesions=lesions,
        **gradients,
        gates=_gates(folder, runs),
        exactness=_table(folder / "exactness.csv", EXACTNESS_COLUMNS),
        half_gates=_table(folder / "half_gates.csv", HALF_GATE_COLUMNS),
        ensemble=_table(folder / "ensemble.csv", ENSEMBLE_COLUMNS),
        members=_table(folder / "ensemble" / "members.csv", MEMBER_COLUMNS),
        module_importance=_table(folder / "module_importance.csv", MODULE_IMPORTANCE_COLUMNS),
        pruned_steps=_table(folder / "pruned_steps.csv", PRUNED_STEP_COLUMNS),
        runs=runs,
    )
