"""Stage `lesion_study`: takes every trained network of a study apart."""

import numpy as np

from pipelines import study as studies
from pipelines.study import Study
from residual_ensembles import backend, cli, data, lesions, models, pruning, runtime, unraveling
from residual_ensembles.backend.threads import process_threads
from residual_ensembles.runtime import Serial, Task
from residual_ensembles.runtime.result_cache import CachedTask, run_cached
from residual_ensembles.storage.files import write_csv, write_json
from residual_ensembles.storage.provenance import provenance

HALF_GATES = ("network", "seed", "n_images", "largest_relative_difference", "n_different")
"""half_gates.csv: each residual network that gets random lesions against the highway network that
equals it, on test pictures: logits, as a share of a picture's largest, and predictions."""
ENTRIES = ("pipelines.lesion_study", "residual_ensembles.registration")
"""What computes these rows and importance, and every class that a network may consist of."""
IDENTITY_PICTURES = 500
"""An identity shows on a few pictures as well as on all."""


def swept_network(study: Study, run: tuple[str, int], prepared):
    """Returns one network of the study with its plan, and where its results are kept."""
    path, lesion = study.finished(*run) / "model.keras", study.lesion
    # In float32, whatever it was trained in: `precision` says what lesions are computed in.
    chain = models.in_float32(models.load(path))
    has_random = run[0] in lesion.networks
    plan = lesions.study_plan(chain, **lesion.plan, seed=lesion.seed, random=has_random)
    cache = lesions.network_cache("lesions", path, prepared.checksum)
    return lesions.sweep.Swept(*run, chain, plan, cache)


def known_or_computed(function, study: Study, each, prepared):
    """Returns what a function finds of a network and data, from the last time if there was one.

    Args:
        function: Called with both; where its result is kept has its name.
        study: The study.
        each: The network.
        prepared: The data.
    """
    path = study.folder(each.network, each.seed) / "model.keras"
    kind = function.__name__
    # Rows begin with the title; and it is computed here, with all threads of this process.
    facts = {"title": each.title, "threads": process_threads()}
    cache = lesions.network_cache(kind, path, prepared.checksum, ENTRIES, **facts)
    task = Task(f"{each.title}: {kind}", lambda advance: function(each, prepared), tuple)
    (found,) = run_cached([CachedTask("found", cache, task)], Serial())
    return found


def half_gates(each, prepared) -> dict:
    """Returns how far a residual network and its highway twin are apart (section 2)."""
    part = prepared.part("test")
    pictures = part.pictures(np.arange(min(IDENTITY_PICTURES, len(part))))
    with backend.full_precision():
        residual, highway = (
            np.concatenate([np.asarray(c(batch)) for batch in _batches(pictures)])
            for c in (each.chain, models.half_gates(each.chain))
        )
    found = lesions.agreement.agreement(highway, residual)
    values = (
        each.network,
        each.seed,
        found.n,
        found.largest_relative_difference,
        found.n_different,
    )
    return dict(zip(HALF_GATES, values, strict=True))


def _batches(pictures):
    return (pictures[i : i + 100] for i in range(0, len(pictures), 100))


def importance(each, prepared):
    """Returns what the modules of a network are worth."""
    table = pruning.worth(each.chain, *pruning.chosen_on(prepared))
    return pruning.named(table, each.network, each.seed)


def main() -> None:
    """Takes every network apart and writes the tables."""
    study = studies.load()
    output_dir = study.results
    cli.require_writable_folder(output_dir)

    import pandas as pd  # here: whoever is refused shall not wait for it

    backend.configure()
    prepared = data.load(study.prepared)
    (output_dir / "predictions").mkdir(parents=True, exist_ok=True)
    swept = [swept_network(study, run, prepared) for run in study.runs]
    with runtime.choose_executor() as chosen:
        found = lesions.sweep.sweep(
            swept,
            prepared.part("test"),
            output_dir,
            chosen,
            lesions.SweepSettings(seed=study.lesion.seed, **study.lesion.options),
        )
        print(chosen.told())
        write_json(output_dir / "lesions_run.json", {**provenance(), **chosen.provenance()})
    tables, exactness = zip(*found, strict=True)
    write_csv(output_dir / "lesions.csv", pd.concat(tables, ignore_index=True))
    write_csv(output_dir / "exactness.csv", pd.DataFrame(exactness))
    compared = [
        known_or_computed(half_gates, study, each, prepared)
        for each in swept
        if each.network in study.lesion.networks and models.has_half_gates(each.chain)
    ]
    write_csv(output_dir / "half_gates.csv", pd.DataFrame(compared, columns=HALF_GATES))
    known = [
        known_or_computed(importance, study, each, prepared)
        for each in swept
        if isinstance(each.chain, unraveling.UnraveledChain)  # one that somebody gave us
    ]
    empty = pd.DataFrame(columns=list(pruning.COLUMNS))
    worth = pd.concat(known, ignore_index=True) if known else empty
    write_csv(output_dir / "worth.csv", worth)
    print(f"{sum(map(len, tables))} lesions of {len(swept)} networks: {output_dir / 'lesions.csv'}")


if __name__ == "__main__":
    cli.run(main)
