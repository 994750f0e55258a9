"""Sweeps of a study's networks: with a progress bar, predictions stored, table rows returned."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from tqdm import tqdm

from residual_ensembles.arguments import checked
from residual_ensembles.lesions.engine.scheduler import Scheduler
from residual_ensembles.lesions.evaluation import Evaluation, Sweep, evaluate_sweeps
from residual_ensembles.lesions.plans import PlannedLesion
from residual_ensembles.lesions.sweep_settings import SweepSettings
from residual_ensembles.lesions.table import exactness_row, lesion_table, summary
from residual_ensembles.models import Chain
from residual_ensembles.runtime.executor import Executor
from residual_ensembles.runtime.result_cache import ResultCache, open_cache
from residual_ensembles.storage.files import write_npz

ENTRIES = (
    "residual_ensembles.data.prepared",
    "residual_ensembles.lesions.evaluation",
    "residual_ensembles.unraveling.keras_registration",
)
"""Modules whose code predictions depend on, with all that they import: those that read images and
evaluate lesions, and every class that a network may consist of."""


@checked
def network_cache(
    kind: str,
    network: Path,
    data_checksum: str,
    entries: Sequence[str] = ENTRIES,
    **facts: object,
) -> ResultCache:
    """Returns the cache of a network's results, which later runs of the same code find again.

    The kind of result names the folder for all networks. The code is that of the modules `entries`
    and their imports; `facts` are all other values that the results depend on.
    """
    content = hashlib.sha256(network.read_bytes()).hexdigest()
    return open_cache(kind, entries, network=content, data=data_checksum, facts=facts)


class SplitImages:
    """The images of a split of prepared data, read when they are indexed."""

    def __init__(self, split):
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, indices):
        return self.split.images(indices)


class PlannedNetwork(NamedTuple):
    """A network of a study, and its plan."""

    network: str
    """Name of the network in tables."""
    seed: int
    chain: Chain
    plan: Sequence[PlannedLesion]
    cache: ResultCache
    """Cache of results, lesion by lesion: see `network_cache`."""

    @property
    def title(self) -> str:
        """Display name, and name of files."""
        return f"{self.network}-{self.seed}"


def sweep(
    networks: Sequence[PlannedNetwork],
    split,
    output_dir: Path,
    executor: Executor,
    settings: SweepSettings,
) -> tuple[list[pd.DataFrame], list[dict]]:
    """Evaluates plans, and writes `predictions/NETWORK-SEED.npz`.

    Args:
        networks: The networks and their plans.
        split: Split of prepared data that lesions are evaluated on.
        output_dir: The study's folder.
        executor: Runs the tasks.
        settings: How lesions are evaluated.

    Returns:
        The rows of lesions.csv and the row of exactness.csv of each network.
    """
    images = SplitImages(split)
    sweeps = [
        Sweep(each.chain, each.plan, images, settings, split.labels, each.cache, each.title)
        for each in networks
    ]
    n_lesions = sum(len(each.plan) for each in networks)
    names = networks[0].title if len(networks) == 1 else f"{len(networks)} networks"
    title = f"{names}: {n_lesions} lesions, {len(split)} images"
    with tqdm(
        total=n_lesions * len(split), desc=title, unit="", unit_scale=True, mininterval=1
    ) as bar:

        def counted(count) -> None:
            bar.set_postfix(tasks=f"{count.finished}/{count.total}", refresh=False)

        evaluations = evaluate_sweeps(sweeps, Scheduler(executor, bar.update, counted))
    tables, exactness = [], []
    for each, result in zip(networks, evaluations, strict=True):
        size = f"{len(each.plan)} lesions, {len(split)} images"
        print(f"{each.title}: {size}; {summary(result, settings.precision)}", flush=True)
        write_predictions(output_dir / "predictions" / f"{each.title}.npz", result, split.labels)
        table = lesion_table(
            each.network,
            each.seed,
            plan=each.plan,
            n_modules=len(each.chain.modules),
            predictions=result.predictions,
            labels=split.labels,
            intact=result.intact,
        )
        tables.append(table)
        key = {"network": each.network, "seed": each.seed}
        exactness.append(key | exactness_row(result, settings.precision))
    return tables, exactness


def write_predictions(path: Path, evaluation: Evaluation, labels) -> None:
    """Writes predictions, a row for each lesion, a column for each image, and their exactness."""
    write_npz(
        path,
        predictions=evaluation.predictions.astype("int16"),
        labels=labels.astype("int16"),
        n_close=evaluation.n_close,
        n_reevaluated=evaluation.n_reevaluated,
        n_threshold_violations=evaluation.n_threshold_violations,
    )
