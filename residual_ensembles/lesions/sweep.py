"""Networks of a study taken apart: with a bar, their predictions kept, their rows returned."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from tqdm import tqdm

from residual_ensembles.lesions.engine import Evaluation, Sweep, evaluate_together
from residual_ensembles.lesions.plans import PlannedLesion
from residual_ensembles.lesions.scheduler import Scheduler
from residual_ensembles.lesions.settings import SweepSettings
from residual_ensembles.lesions.table import exactness, lesion_table, summary
from residual_ensembles.runtime.executor import Executor
from residual_ensembles.runtime.result_cache import ResultCache, kept_results
from residual_ensembles.storage.files import write_npz

ENTRIES = (
    "residual_ensembles.data.prepared",
    "residual_ensembles.lesions.engine",
    "residual_ensembles.registration",
)
"""What reads pictures and evaluates lesions, and every class that a network may consist of."""


def network_cache(
    kind: str,
    network: Path,
    data_checksum: str,
    entries: Sequence[str] = ENTRIES,
    **facts: object,
) -> ResultCache:
    """Returns where results of a network are kept, for later runs of the same code too.

    Args:
        kind: Of the results: the name of the folder for all networks.
        network: File of the trained network.
        data_checksum: Of the prepared data.
        entries: Modules that compute them; for predictions, those of lesions.
        **facts: What else decides about all of them, as plain values.
    """
    content = hashlib.sha256(network.read_bytes()).hexdigest()
    return kept_results(kind, entries, network=content, data=data_checksum, facts=facts)


class PartPictures:
    """The pictures of a part, read when they are asked for.

    Args:
        part: Of prepared data.
    """

    def __init__(self, part):
        self.part = part

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, indices):
        return self.part.pictures(indices)


class Swept(NamedTuple):
    """A network of a study, and its plan."""

    network: str
    """Its name in tables."""
    seed: int
    chain: object
    plan: Sequence[PlannedLesion]
    cache: ResultCache
    """Where results are kept lesion by lesion: `network_cache`."""

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.network}-{self.seed}"


class SweepResult(NamedTuple):
    """What came out of the sweep of one network."""

    table: pd.DataFrame
    """Its rows of lesions.csv."""
    exactness: dict
    """Its row of exactness.csv."""


def sweep(
    networks: Sequence[Swept],
    part,
    output_dir: Path,
    executor: Executor,
    settings: SweepSettings,
) -> list[SweepResult]:
    """Evaluates plans, writes `predictions/NETWORK-SEED.npz`, and returns the rows of the tables.

    Args:
        networks: The networks and their plans.
        part: Of prepared data; what is evaluated.
        output_dir: The study's folder.
        executor: What computes.
        settings: How lesions are evaluated.

    Returns:
        The rows of each network.
    """
    pictures = PartPictures(part)
    sweeps = [
        Sweep(each.chain, each.plan, pictures, settings, part.labels, each.cache, each.title)
        for each in networks
    ]
    n_lesions = sum(len(each.plan) for each in networks)
    names = networks[0].title if len(networks) == 1 else f"{len(networks)} networks"
    title = f"{names}: {n_lesions} lesions, {len(part)} pictures"
    with tqdm(
        total=n_lesions * len(part), desc=title, unit="", unit_scale=True, mininterval=1
    ) as bar:

        def counted(count) -> None:
            bar.set_postfix(tasks=f"{count.finished}/{count.total}", refresh=False)

        found = evaluate_together(sweeps, Scheduler(executor, bar.update, counted))
    return [
        _written(each, evaluation, settings.precision, part, output_dir)
        for each, evaluation in zip(networks, found, strict=True)
    ]


def _written(each: Swept, found: Evaluation, precision: str, part, output_dir: Path) -> SweepResult:
    """Writes what was found of a network, tells it in a line, and returns its rows."""
    size = f"{len(each.plan)} lesions, {len(part)} pictures"
    print(f"{each.title}: {size}; {summary(found, precision)}", flush=True)
    write_predictions(output_dir / "predictions" / f"{each.title}.npz", found, part.labels)
    table = lesion_table(
        each.network,
        each.seed,
        each.plan,
        len(each.chain.modules),
        found.predictions,
        part.labels,
        found.intact,
    )
    key = {"network": each.network, "seed": each.seed}
    return SweepResult(table, {**key, **exactness(found, precision)})


def write_predictions(path: Path, evaluation: Evaluation, labels) -> None:
    """Writes one row for each lesion, one column for each picture, and how far they are exact."""
    write_npz(
        path,
        predictions=evaluation.predictions.astype("int16"),
        labels=labels.astype("int16"),
        n_close=evaluation.n_close,
        n_redone=evaluation.n_redone,
        n_beyond=evaluation.n_beyond,
    )
