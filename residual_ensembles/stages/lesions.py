"""Lesions of every network of a study; module importance and pruning of external ones.

Results are cached by all that determines them.
"""

from collections.abc import Callable, Sequence
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
from residual_ensembles.parameters import StudyParameters
from residual_ensembles.pruning.importance import selection_data, with_network_columns
from residual_ensembles.runtime import Executor
from residual_ensembles.storage.checkpoints import finished_network, network_folder
from residual_ensembles.storage.columns import (
    HALF_GATE_COLUMNS,
    PRUNED_COLUMNS,
    PRUNED_STEP_COLUMNS,
    RANK_COLUMNS,
)
from residual_ensembles.storage.files import write_csv, write_json
from residual_ensembles.storage.provenance import provenance
from residual_ensembles.unraveling.rebuild import rebuilt

ENTRIES = ("residual_ensembles.stages.lesions", "residual_ensembles.unraveling.keras_registration")
"""Modules whose code these results depend on, and every class that a network may consist of."""
IDENTITY_IMAGES = 500
"""Test images for half_gates.csv; an identity need not be tested on all of them."""
BATCH = 100

Result = TypeVar("Result")


def write_lesions(
    study: StudyParameters, prepared: Prepared, results: Path, executor: Executor
) -> None:
    """Evaluates the lesions of all networks and writes the tables.

    These are lesions.csv, exactness.csv, half_gates.csv, predictions/, module_importance.csv,
    module_importance_ranks.csv, pruned.csv and pruned_steps.csv, and lesions_run.json about what
    computed them.

    Raises:
        ValueError: A network is not trained, or does not allow its lesions.
    """
    planned = [_planned_network(study, run, prepared, results) for run in study.runs]
    settings = lesions.SweepSettings(**study.lesion.options)
    executor.nodes.clear()  # of another table
    tables, exactness = sweep(planned, prepared.split("test"), results, executor, settings)
    print(executor.summary())
    write_json(results / "lesions_run.json", {**provenance(), **executor.provenance()})
    write_csv(results / "lesions.csv", pd.concat(tables, ignore_index=True))
    write_csv(results / "exactness.csv", pd.DataFrame(exactness))
    compared = [
        (*run, *_cached("half_gates", run, prepared, results, partial(twin_check, each, prepared)))
        for run, each in zip(study.runs, planned, strict=True)
        if run[0] in study.lesion.networks and models.can_have_half_gates(each.chain)
    ]
    write_csv(results / "half_gates.csv", pd.DataFrame(compared, columns=HALF_GATE_COLUMNS))
    external = [each for each in planned if each.network in study.external]
    _write_importance(external, prepared, results, executor)
    _write_pruning(external, study.lesion.prune, prepared, results, executor)
    print(f"{sum(map(len, tables))} lesions: {results / 'lesions.csv'}")


def _planned_network(
    study: StudyParameters, run: tuple[str, int], prepared: Prepared, results: Path
) -> PlannedNetwork:
    """Returns one network of the study with its plan and the cache of its results."""
    path, lesion = finished_network(results, *run) / "model.keras", study.lesion
    # In float32, whatever it was trained in: `precision` says what lesions are computed in.
    chain = models.in_float32(models.load(path))
    plan = lesions.study_plan(
        chain,
        **lesion.plan,
        seed=lesion.seed,
        random=run[0] in lesion.networks,
        clip=run[0] in study.external,
    )
    return PlannedNetwork(*run, chain, plan, network_cache("lesions", path, prepared.checksum))


def _cached(
    kind: str,
    run: tuple[str, int],
    prepared: Prepared,
    results: Path,
    compute: Callable[[], Result],
    **facts,
) -> Result:
    """Returns the cached result of a kind for a network, data and other values, or computes it."""
    facts["threads"] = process_threads()  # some results are computed in this process
    file = network_folder(results, *run) / "model.keras"
    cache = network_cache(kind, file, prepared.checksum, ENTRIES, **facts)
    result = cache.find("result")
    if result is None:
        result = compute()
        cache.save("result", result)
    return result


def twin_check(each: PlannedNetwork, prepared: Prepared) -> tuple[int, float, int]:
    """Compares a residual network with its highway twin, all gates ½ (section 2).

    Returns:
        Number of images; largest difference of a logit, as a share of an image's largest logit;
        number of predictions that differ.
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
    """Writes module importance, and the rank correlations of its cheap estimates."""
    tables, ranks = [], []
    for each in networks:
        run = each.network, each.seed

        def importance(chain=each.chain) -> pd.DataFrame:
            return pruning.module_importance(chain, *selection_data(prepared), executor=executor)

        table = _cached("importance", run, prepared, results, importance)
        tables.append(with_network_columns(table, *run))
        ranks.append(with_network_columns(pruning.rank_correlations(table), *run))
    _write_tables(results / "module_importance.csv", tables, pruning.COLUMNS)
    _write_tables(results / "module_importance_ranks.csv", ranks, RANK_COLUMNS)


def _write_pruning(
    networks: list[PlannedNetwork], n: int, prepared: Prepared, results: Path, executor: Executor
) -> None:
    """Writes the networks before and after n modules are pruned, and each step of that."""
    compared, steps = [], []
    for each in networks if n else ():
        run = each.network, each.seed

        def pruned(chain=each.chain) -> tuple[pd.DataFrame, pd.DataFrame]:
            split = prepared.split("test")
            test = split.images(slice(None)), split.labels
            result = pruning.prune(chain, n, selection_data(prepared), test, executor=executor)
            return result.comparison.reset_index(names="version"), result.steps

        comparison, table = _cached("pruning", run, prepared, results, pruned, n=n)
        print(f"{each.title}, pruned:\n{comparison.to_string(index=False)}")
        compared.append(with_network_columns(comparison, *run))
        steps.append(with_network_columns(table, *run))
    _write_tables(results / "pruned.csv", compared, PRUNED_COLUMNS)
    _write_tables(results / "pruned_steps.csv", steps, PRUNED_STEP_COLUMNS)


def _write_tables(path: Path, tables: list[pd.DataFrame], columns: Sequence[str]) -> None:
    """Writes tables one below the other; where there is none, the columns alone."""
    empty = pd.DataFrame(columns=list(columns))
    write_csv(path, pd.concat(tables, ignore_index=True) if tables else empty)


def save_pruned(run: tuple[str, int], results: Path) -> None:
    """Writes pruned.keras, the network without the modules of pruned_steps.csv."""
    chain = models.load(network_folder(results, *run) / "model.keras")
    steps = pd.read_csv(results / "pruned_steps.csv")
    rebuilt(chain, steps["module"][1:].tolist()).save(results / "pruned.keras")
