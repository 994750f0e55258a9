"""Path gradients of every network of a study, at each saved epoch."""

from pathlib import Path

import pandas as pd
from tqdm import tqdm

from residual_ensembles.data import Prepared
from residual_ensembles.parameters import StudyParameters
from residual_ensembles.paths.study.gradient_chunks import NetworkSnapshot
from residual_ensembles.paths.study.gradient_study import GradientStudy, write_gradient_tables
from residual_ensembles.paths.study.measurement import gradient_cache, measure_gradients
from residual_ensembles.runtime import Executor
from residual_ensembles.storage.checkpoints import finished_network
from residual_ensembles.storage.files import require_file, write_json
from residual_ensembles.storage.provenance import provenance

BAR = "{l_bar}{bar}| {n:.1f}/{total} batches [{elapsed}<{remaining}]"
"""Format of the progress bar; a task with some path lengths counts as a fraction of a batch."""


def write_gradients(
    study: StudyParameters, prepared: Prepared, results: Path, executor: Executor
) -> None:
    """Measures all networks and writes path_gradients*.csv and path_gradients_run.json.

    Raises:
        ValueError: A network is not trained.
    """
    # Networks and batch norm differ by snapshot.
    settings = GradientStudy(**study.paths.model_dump(exclude={"networks", "batch_norm"}))
    networks = {run: epochs_of(study, run, results) for run in study.runs}
    every = [network for each in networks.values() for network in each]
    total = sum(len(network.estimators) for network in every) * settings.batches
    caches = {
        each[0].title: gradient_cache(each, prepared.checksum, settings)
        for each in networks.values()
    }
    executor.nodes.clear()  # of another table
    with tqdm(total=total, bar_format=BAR) as bar:
        split = prepared.split("train")
        result = measure_gradients(every, split, settings, executor, bar.update, caches)
    measured = dict(zip(every, result, strict=True))
    print(executor.summary())
    facts = {**provenance(), **executor.provenance()}
    write_json(results / "path_gradients_run.json", facts)
    tables = [settings.tables(*run, measured[each]) for run in study.runs for each in networks[run]]
    write_gradient_tables(tables, results)
    for cache in caches.values():
        cache.remove()
    print(f"Gradients of {len(every)} networks by path: {results / 'path_gradients.csv'}")


def epochs_of(study: StudyParameters, run: tuple[str, int], results: Path) -> list:
    """Returns one network at each saved epoch; paths of the trained one may be sampled too."""
    files = networks_by_epoch(finished_network(results, *run))
    to_sample = study.paths.samples and run[0] in study.paths.networks
    return [
        NetworkSnapshot(
            "{}-{}".format(*run),
            epoch,
            file,
            study.paths.batch_norm if epoch else "training",
            ("exact", "sampled") if to_sample and epoch == max(files) else ("exact",),
        )
        for epoch, file in files.items()
    ]


def networks_by_epoch(folder: Path) -> dict[int, Path]:
    """Returns the files of one network: snapshots by their epoch, and the trained network.

    The trained network is the last: a snapshot after the last epoch would be the same one.

    Raises:
        ValueError: The table of its epochs is damaged.
    """
    history = folder / "history.csv"
    try:
        require_file(history)
        last = int(pd.read_csv(history, usecols=["epoch"]).epoch.max())
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Received {history}, which does not say its epochs ({error}); train the network again."
        ) from error
    snapshots = {int(f.stem.split("-")[1]): f for f in (folder / "snapshots").glob("epoch-*.keras")}
    return {**dict(sorted(snapshots.items())), last: folder / "model.keras"}
