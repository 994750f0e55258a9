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
from residual_ensembles.analysis.columns import HALF_GATE_COLUMNS, RANK_COLUMNS
from residual_ensembles.backend.threads import process_threads
from residual_ensembles.data import Prepared
from residual_ensembles.lesions.sweep import Swept, network_cache, sweep
from residual_ensembles.parameters import Study, is_external
from residual_ensembles.runtime import Executor
from residual_ensembles.storage.checkpoints import finished_network, network_folder
from residual_ensembles.storage.files import write_csv, write_json
from residual_ensembles.storage.provenance import provenance
from residual_ensembles.unraveling.rebuild import rebuilt

ENTRIES = ("residual_ensembles.stages.lesions", "residual_ensembles.registration")
"""What computes these rows and importance, and every class that a network may consist of."""
IDENTITY_PICTURES = 500
"""An identity shows on a few pictures as well as on all."""
BATCH = 100

Found = TypeVar("Found")


def write_lesions(
    study: Study,
    prepared: Prepared,
    results: Path,
    executor: Executor,
    *,
    as_far_as_possible: bool = False,
) -> None:
    """Takes every network apart and writes the tables.

    These are lesions.csv, exactness.csv, half_gates.csv, predictions/, worth.csv and
    worth_ranks.csv, and lesions_run.json about what computed them.

    Args:
        study: Which networks and lesions.
        prepared: The data.
        results: Folder of the study's results, with the networks.
        executor: What computes.
        as_far_as_possible: Whether a number of operations that is too large for a network is cut
            to what it can bear, and not refused.

    Raises:
        ValueError: A network is not there, or cannot bear its lesions.
    """
    swept = [_swept(study, run, prepared, results, as_far_as_possible) for run in study.runs]
    settings = lesions.SweepSettings(**study.lesion.options)
    executor.nodes.clear()  # of another table
    found = sweep(swept, prepared.part("test"), results, executor, settings)
    print(executor.told())
    write_json(results / "lesions_run.json", {**provenance(), **executor.provenance()})
    tables, exactness = zip(*found, strict=True)
    write_csv(results / "lesions.csv", pd.concat(tables, ignore_index=True))
    write_csv(results / "exactness.csv", pd.DataFrame(exactness))
    compared = [
        (*run, *_kept("half_gates", run, prepared, results, partial(half_gates, each, prepared)))
        for run, each in zip(study.runs, swept, strict=True)
        if run[0] in study.lesion.networks and models.has_half_gates(each.chain)
    ]
    write_csv(results / "half_gates.csv", pd.DataFrame(compared, columns=HALF_GATE_COLUMNS))
    _write_importance(
        [each for each in swept if is_external(study.network[each.network].model)],
        prepared,
        results,
        executor,
    )
    print(f"{sum(map(len, tables))} lesions of {len(swept)} networks: {results / 'lesions.csv'}")


def _swept(
    study: Study, run: tuple[str, int], prepared: Prepared, results: Path, as_far_as_possible: bool
) -> Swept:
    """Returns one network of the study with its plan, and where its results are kept."""
    path, lesion = finished_network(results, *run) / "model.keras", study.lesion
    # In float32, whatever it was trained in: `precision` says what lesions are computed in.
    chain = models.in_float32(models.load(path))
    plan = lesions.study_plan(
        chain,
        **lesion.plan,
        seed=lesion.seed,
        random=run[0] in lesion.networks,
        as_far_as_possible=as_far_as_possible,
    )
    return Swept(*run, chain, plan, network_cache("lesions", path, prepared.checksum))


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
        kind: Of the result; it is kept in a folder of that name.
        run: Name and seed of the network.
        prepared: The data.
        results: The study's folder.
        compute: Returns it.
        **facts: What else decides about it.
    """
    facts["threads"] = process_threads()  # some are computed here, with all that there are
    file = network_folder(results, *run) / "model.keras"
    cache = network_cache(kind, file, prepared.checksum, ENTRIES, **facts)
    found = cache.find("found")
    if found is None:
        found = compute()
        cache.keep("found", found)
    return found


def half_gates(each: Swept, prepared: Prepared) -> tuple[int, float, int]:
    """Returns how far a residual network and its highway twin are apart (section 2).

    Returns:
        Pictures compared; by how much a logit differs at most, as a share of a picture's largest;
        and how many predictions differ.
    """
    part = prepared.part("test")
    pictures = part.pictures(np.arange(min(IDENTITY_PICTURES, len(part))))
    batches = [pictures[i : i + BATCH] for i in range(0, len(pictures), BATCH)]
    with backend.full_precision():
        residual, highway = (
            np.concatenate([np.asarray(chain(batch)) for batch in batches])
            for chain in (each.chain, models.half_gates(each.chain))
        )
    found = lesions.agreement.agreement(highway, residual)
    return found.n, found.largest_relative_difference, found.n_different


def _write_importance(
    networks: list[Swept], prepared: Prepared, results: Path, executor: Executor
) -> None:
    """Writes what modules are worth, and how cheap estimates rank them."""
    tables, ranks = [], []
    for each in networks:
        run = each.network, each.seed

        def importance(chain=each.chain) -> pd.DataFrame:
            return pruning.worth(chain, *pruning.chosen_on(prepared), executor=executor)

        table = _kept("importance", run, prepared, results, importance)
        tables.append(pruning.named(table, *run))
        ranks.append(pruning.named(pruning.rank_correlations(table), *run))
    for name, found, columns in (
        ("worth", tables, pruning.COLUMNS),
        ("worth_ranks", ranks, RANK_COLUMNS),
    ):
        empty = pd.DataFrame(columns=list(columns))
        table = pd.concat(found, ignore_index=True) if found else empty
        write_csv(results / f"{name}.csv", table)


def prune_network(
    run: tuple[str, int], n: int, prepared: Prepared, results: Path, executor: Executor
) -> None:
    """Deletes modules for good: pruned.keras, and what became of it in pruned*.csv.

    Args:
        run: Name and seed of the network.
        n: Modules to delete.
        prepared: The data.
        results: The study's folder.
        executor: What computes.

    Raises:
        ValueError: It has not so many, or cannot be built anew.
    """
    chain, part = models.load(network_folder(results, *run) / "model.keras"), prepared.part("test")

    def pruned() -> tuple:
        chosen, test = pruning.chosen_on(prepared), (part.pictures(slice(None)), part.labels)
        found = pruning.prune(chain, n, chosen, test, executor=executor)
        return found.deleted, found.steps, found.comparison

    deleted, steps, comparison = _kept("pruning", run, prepared, results, pruned, n=n)
    rebuilt(chain, deleted).save(results / "pruned.keras")
    write_csv(results / "pruned.csv", comparison.reset_index(names="network"))
    write_csv(results / "pruned_steps.csv", steps)
    print(comparison.to_string())
