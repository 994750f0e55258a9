"""Every network of a study taken apart: lesions, and for those brought along importance, pruning.

What is computed of a network is kept by all that decides it, and found again.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from residual_ensembles import backend, lesions, models, pruning
from residual_ensembles.backend.threads import process_threads
from residual_ensembles.data import Prepared
from residual_ensembles.lesions.exactness import agreement
from residual_ensembles.lesions.sweep import PlannedNetwork, network_cache, sweep
from residual_ensembles.parameters import Study, is_external
from residual_ensembles.runtime import Executor
from residual_ensembles.storage.checkpoints import finished_network, network_folder
from residual_ensembles.storage.columns import HALF_GATE_COLUMNS, RANK_COLUMNS
from residual_ensembles.storage.files import write_csv, write_json
from residual_ensembles.storage.provenance import provenance
from residual_ensembles.unraveling.rebuild import rebuilt

ENTRIES = ("residual_ensembles.stages.lesions", "residual_ensembles.unraveling.keras_registration")
"""What computes these rows and importance, and every class that a network may consist of."""
IDENTITY_IMAGES = 500
"""An identity shows on a few images as well as on all."""
BATCH = 100

Found = TypeVar("Found")


def write_lesions(
    study: Study,
    prepared: Prepared,
    results: Path,
    executor: Executor,
    *,
    clip: bool = False,
) -> None:
    """Takes every network apart and writes the tables.

    These are lesions.csv, exactness.csv, half_gates.csv, predictions/, module_importance.csv and
    module_importance_ranks.csv, and lesions_run.json about what computed them.

    Args:
        study: Which networks and lesions.
        prepared: Prepared data.
        results: Folder of the study's results, with the networks.
        executor: Runs the tasks.
        clip: Whether a number of operations that is too large for a network is cut
            to what it allows, and not refused.

    Raises:
        ValueError: A network is not there, or does not allow its lesions.
    """
    planned = [_planned_network(study, run, prepared, results, clip) for run in study.runs]
    settings = lesions.SweepSettings(**study.lesion.options)
    executor.nodes.clear()  # of another table
    result = sweep(planned, prepared.split("test"), results, executor, settings)
    print(executor.summary())
    write_json(results / "lesions_run.json", {**provenance(), **executor.provenance()})
    tables, exactness = zip(*result, strict=True)
    write_csv(results / "lesions.csv", pd.concat(tables, ignore_index=True))
    write_csv(results / "exactness.csv", pd.DataFrame(exactness))
    compared = [
        (*run, *_kept("half_gates", run, prepared, results, partial(half_gates, each, prepared)))
        for run, each in zip(study.runs, planned, strict=True)
        if run[0] in study.lesion.networks and models.has_half_gates(each.chain)
    ]
    write_csv(results / "half_gates.csv", pd.DataFrame(compared, columns=HALF_GATE_COLUMNS))
    _write_importance(
        [each for each in planned if is_external(study.network[each.network].model)],
        prepared,
        results,
        executor,
    )
    print(f"{sum(map(len, tables))} lesions of {len(planned)} networks: {results / 'lesions.csv'}")


def _planned_network(
    study: Study, run: tuple[str, int], prepared: Prepared, results: Path, clip: bool
) -> PlannedNetwork:
    """Returns one network of the study with its plan, and where its results are kept."""
    path, lesion = finished_network(results, *run) / "model.keras", study.lesion
    # In float32, whatever it was trained in: `precision` says what lesions are computed in.
    chain = models.in_float32(models.load(path))
    plan = lesions.study_plan(
        chain,
        **lesion.plan,
        seed=lesion.seed,
        random=run[0] in lesion.networks,
        clip=clip,
    )
    return PlannedNetwork(*run, chain, plan, network_cache("lesions", path, prepared.checksum))


def _kept(
    kind: str,
    run: tuple[str, int],
    prepared: Prepared,
    results: Path,
    compute: Callable[[], Found],
    **facts,
) -> Found:
    """Returns what is computed of a network and data, or was the last time.

    Args:
        kind: Kind of result: it is kept in a folder of that name.
        run: Name and seed of the network.
        prepared: Prepared data.
        results: The study's folder.
        compute: Returns it.
        **facts: What else decides about it.
    """
    facts["threads"] = process_threads()  # some are computed here, with all that there are
    file = network_folder(results, *run) / "model.keras"
    cache = network_cache(kind, file, prepared.checksum, ENTRIES, **facts)
    result = cache.find("found")
    if result is None:
        result = compute()
        cache.keep("found", result)
    return result


def half_gates(each: PlannedNetwork, prepared: Prepared) -> tuple[int, float, int]:
    """Returns how far a residual network and its highway twin are apart (section 2).

    Returns:
        Images compared; by how much a logit differs at most, as a share of an image's largest;
        and how many predictions differ.
    """
    split = prepared.split("test")
    images = split.images(np.arange(min(IDENTITY_IMAGES, len(split))))
    batches = [images[i : i + BATCH] for i in range(0, len(images), BATCH)]
    with backend.full_precision():
        residual, highway = (
            np.concatenate([np.asarray(chain(batch)) for batch in batches])
            for chain in (each.chain, models.half_gates(each.chain))
        )
    result = agreement.agreement(highway, residual)
    return result.n, result.largest_relative_difference, result.n_different


def _write_importance(
    networks: list[PlannedNetwork], prepared: Prepared, results: Path, executor: Executor
) -> None:
    """Writes module importance, and how cheap estimates rank them."""
    tables, ranks = [], []
    for each in networks:
        run = each.network, each.seed

        def importance(chain=each.chain) -> pd.DataFrame:
            return pruning.module_importance(
                chain, *pruning.selection_data(prepared), executor=executor
            )

        table = _kept("importance", run, prepared, results, importance)
        tables.append(pruning.with_network_columns(table, *run))
        ranks.append(pruning.with_network_columns(pruning.rank_correlations(table), *run))
    for name, result, columns in (
        ("module_importance", tables, pruning.COLUMNS),
        ("module_importance_ranks", ranks, RANK_COLUMNS),
    ):
        empty = pd.DataFrame(columns=list(columns))
        table = pd.concat(result, ignore_index=True) if result else empty
        write_csv(results / f"{name}.csv", table)


def prune_network(
    run: tuple[str, int], n: int, prepared: Prepared, results: Path, executor: Executor
) -> None:
    """Deletes modules for good: pruned.keras, and what became of it in pruned*.csv.

    Args:
        run: Name and seed of the network.
        n: Modules to delete.
        prepared: Prepared data.
        results: The study's folder.
        executor: Runs the tasks.

    Raises:
        ValueError: It has not so many, or cannot be built anew.
    """
    chain, split = (
        models.load(network_folder(results, *run) / "model.keras"),
        prepared.split("test"),
    )

    def pruned() -> tuple:
        chosen, test = pruning.selection_data(prepared), (split.images(slice(None)), split.labels)
        result = pruning.prune(chain, n, chosen, test, executor=executor)
        return result.deleted, result.steps, result.comparison

    deleted, steps, comparison = _kept("pruning", run, prepared, results, pruned, n=n)
    rebuilt(chain, deleted).save(results / "pruned.keras")
    write_csv(results / "pruned.csv", comparison.reset_index(names="network"))
    write_csv(results / "pruned_steps.csv", steps)
    print(comparison.to_string())
