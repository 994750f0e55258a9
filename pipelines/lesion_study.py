"""Stage `lesion_study`: takes every trained network of a study apart.

`python -m pipelines.lesion_study --help`
"""

from pathlib import Path

import numpy as np
from absl import flags

from pipelines.study import chosen_networks
from residual_ensembles import backend, cli, data, executor, lesions, models, pruning, unraveling
from residual_ensembles.executor import Executor, Task
from residual_ensembles.files import write_csv, write_json
from residual_ensembles.parameters import LESION_PRECISIONS
from residual_ensembles.provenance import provenance
from residual_ensembles.result_cache import CachedTask, run_cached

FLAGS = flags.FLAGS

HALF_GATES = ("network", "seed", "n_images", "largest_relative_difference", "n_different")
"""half_gates.csv: each residual network that gets random lesions against the highway network that
equals it, on test pictures: logits, as a share of a picture's largest, and predictions."""
IDENTITY_PICTURES = 500
"""An identity shows on a few pictures as well as on all."""


def define_flags() -> None:
    """Defines the flags; each says its unit."""
    flags.DEFINE_string("data", None, "prepared folder; its test part is evaluated")
    flags.DEFINE_string("networks_dir", None, "folder of NETWORK-SEED/model.keras")
    flags.DEFINE_list("networks", None, "networks of the study, in the table's order")
    flags.DEFINE_list("seeds", ["0"], "seeds that each network was trained with")
    flags.DEFINE_list(
        "lesion_networks",
        ["resnet"],
        "of --networks, those that get random deletions, re-orderings and duplications too",
    )
    flags.DEFINE_integer("k", 20, "largest number of modules deleted together", 1)
    flags.DEFINE_integer("swaps", 10, "largest number of swaps", 1)
    flags.DEFINE_integer("duplications", 10, "largest number of modules duplicated together", 1)
    flags.DEFINE_integer("draws", 20, "draws for each number of operations", 1)
    flags.DEFINE_integer("seed", 0, "of the draws, and of samples of pictures", 0)
    flags.DEFINE_enum(
        "precision",
        "float32",
        LESION_PRECISIONS,
        "of the computation; cascade: bfloat16, and float32 where that could be wrong",
    )
    flags.DEFINE_float(
        "error_margin",
        0.0,
        "half-width, as a fraction, of each error's 95 % interval on the test pictures at which it "
        "is known well enough; 0: evaluate all pictures",
        0.0,
        1.0,
    )
    flags.DEFINE_integer(
        "memory_mib",
        2048,
        "what activations may take in each process, MiB; there is one for each processor",
        1,
    )
    flags.DEFINE_integer(
        "batch_size", 0, "most activations that pass a module together; 0: as many as are fast", 0
    )
    flags.DEFINE_string(
        "output_dir",
        None,
        "folder for lesions.csv, lesions_run.json, exactness.csv, half_gates.csv, worth.csv, "
        "predictions/",
    )
    flags.mark_flags_as_required(["data", "networks_dir", "networks", "output_dir"])


def swept_network(name: str, seed: int, prepared):
    """Returns one network of the study with its plan, and where its results are kept."""
    path = Path(FLAGS.networks_dir) / f"{name}-{seed}" / "model.keras"
    # In float32, whatever it was trained in: `--precision` says what lesions are computed in.
    chain = models.in_float32(models.load(path))
    plan = lesions.study_plan(
        chain,
        k=FLAGS.k,
        draws=FLAGS.draws,
        swaps=FLAGS.swaps,
        duplications=FLAGS.duplications,
        seed=FLAGS.seed,
        random=name in FLAGS.lesion_networks,
    )
    cache = lesions.network_cache("lesions", path, prepared.checksum)
    return lesions.sweep.Swept(name, seed, chain, plan, cache)


def has_twin(each) -> bool:
    """Whether a network is one that a highway network equals, and is taken apart at random."""
    return each.network in FLAGS.lesion_networks and models.has_half_gates(each.chain)


def known_or_computed(function, each, prepared):
    """Returns what a function finds of a network and data, from the last time if there was one.

    Args:
        function: Called with both; where its result is kept has its name.
        each: The network.
        prepared: The data.
    """
    path = Path(FLAGS.networks_dir) / each.title / "model.keras"
    kind, code = function.__name__, ("paths", "pruning")
    # Its title is in what is kept, for rows begin with it.
    cache = lesions.network_cache(kind, path, prepared.checksum, code, title=each.title)
    task = Task(f"{each.title}: {kind}", lambda advance: function(each, prepared), tuple)
    (found,) = run_cached([CachedTask("found", cache, task)], Executor())
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
    networks = chosen_networks(FLAGS.networks, "lesion_networks", FLAGS.lesion_networks)
    seeds = cli.whole_numbers("seeds", FLAGS.seeds)
    output_dir = Path(FLAGS.output_dir)
    cli.require_writable_folder(output_dir)

    import pandas as pd  # here: whoever is told how to call this shall not wait for it

    backend.configure()
    prepared = data.load(FLAGS.data)
    (output_dir / "predictions").mkdir(parents=True, exist_ok=True)
    swept = [swept_network(name, seed, prepared) for name in networks for seed in seeds]
    with executor.chosen() as chosen:
        found = lesions.sweep.sweep(
            swept,
            prepared.part("test"),
            output_dir,
            chosen,
            lesions.SweepSettings(
                precision=FLAGS.precision,
                error_margin=FLAGS.error_margin or None,
                memory_bytes=FLAGS.memory_mib * 2**20,
                batch_size=FLAGS.batch_size or None,
                seed=FLAGS.seed,
            ),
        )
        print(chosen.told())
        write_json(output_dir / "lesions_run.json", {**provenance(), **chosen.provenance()})
    tables, exactness = zip(*found, strict=True)
    write_csv(output_dir / "lesions.csv", pd.concat(tables, ignore_index=True))
    write_csv(output_dir / "exactness.csv", pd.DataFrame(exactness))
    compared = [known_or_computed(half_gates, each, prepared) for each in swept if has_twin(each)]
    write_csv(output_dir / "half_gates.csv", pd.DataFrame(compared, columns=HALF_GATES))
    known = [
        known_or_computed(importance, each, prepared)
        for each in swept
        if isinstance(each.chain, unraveling.UnraveledChain)  # one that somebody gave us
    ]
    empty = pd.DataFrame(columns=list(pruning.COLUMNS))
    worth = pd.concat(known, ignore_index=True) if known else empty
    write_csv(output_dir / "worth.csv", worth)
    print(f"{sum(map(len, tables))} lesions of {len(swept)} networks: {output_dir / 'lesions.csv'}")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
