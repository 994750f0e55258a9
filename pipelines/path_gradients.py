"""Stage `path_gradients`: takes the gradient of every trained network apart, by path.

`python -m pipelines.path_gradients --help`
"""

from pathlib import Path

from absl import flags

from pipelines.study import chosen_networks
from residual_ensembles import cli

FLAGS = flags.FLAGS

KEY = ("network", "seed", "epoch", "estimator", "target", "batch_norm")


def define_flags() -> None:
    """Defines the flags; each says its unit."""
    flags.DEFINE_string("data", None, "prepared folder; batches are drawn from its train part")
    flags.DEFINE_string("networks_dir", None, "folder of NETWORK-SEED/{model.keras,snapshots/}")
    flags.DEFINE_list("networks", None, "networks of the study, in the table's order")
    flags.DEFINE_list("seeds", ["0"], "seeds that each network was trained with")
    flags.DEFINE_list(
        "sampled_networks",
        ["resnet"],
        "of --networks, those whose trained network is sampled path by path too",
    )
    flags.DEFINE_integer("samples", 1000, "sampled paths of each length; 0 for none", 0)
    flags.DEFINE_integer("batches", 20, "batches, each with its share of the samples", 1)
    flags.DEFINE_integer("batch_size", 16, "pictures in a batch; 1 for norms per picture", 1)
    flags.DEFINE_integer("max_length", None, "longest path, modules; default: all lengths", 0)
    flags.DEFINE_enum(
        "batch_norm",
        "inference",
        ["inference", "training"],
        "statistics that batch normalisation uses: the moving ones, or the batch's, whose "
        "derivative then is part of the residual; an untrained network always uses the batch's",
    )
    flags.DEFINE_enum("target", "y0", ["y0", "picture"], "what the gradient is taken to")
    flags.DEFINE_integer(
        "weights_of", 1, "module whose weights' gradient is taken apart too, from 1; 0 for none", 0
    )
    flags.DEFINE_integer("seed", 0, "of batches and paths", 0)
    flags.DEFINE_string("output_dir", None, "folder for path_gradients*.csv")
    flags.mark_flags_as_required(["data", "networks_dir", "networks", "output_dir"])


def networks_by_epoch(folder: Path) -> dict[int, Path]:
    """Returns the files of one network: snapshots by their epoch, and the trained network.

    The trained network is the last: a snapshot after the last epoch would be the same one.

    Raises:
        ValueError: The table of its epochs is damaged.
    """
    import pandas as pd

    history = folder / "history.csv"
    try:
        last = int(pd.read_csv(history, usecols=["epoch"]).epoch.max())
    except ValueError as error:
        raise ValueError(
            f"Received {history}, which does not say its epochs ({error}); train the network again."
        ) from error
    snapshots = {int(f.stem.split("-")[1]): f for f in (folder / "snapshots").glob("epoch-*.keras")}
    return {**dict(sorted(snapshots.items())), last: folder / "model.keras"}


def settings_from_flags():
    """Returns what the flags ask for."""
    from residual_ensembles.paths import measurement

    return measurement.Settings(
        samples=FLAGS.samples,
        batches=FLAGS.batches,
        batch_size=FLAGS.batch_size,
        max_length=FLAGS.max_length,
        batch_norm=FLAGS.batch_norm,
        target=FLAGS.target,
        weights_of=FLAGS.weights_of,
        seed=FLAGS.seed,
    )


def tables(network: str, seed: int, of_epoch) -> dict:
    """Returns the rows of one network at one epoch, by the suffix of their table.

    Args:
        network: Its name.
        seed: It was trained with.
        of_epoch: What was measured of it, a `measurement.Measured`.
    """
    import numpy as np

    from residual_ensembles.analysis import gradient_tables

    epoch, batch_norm, skips, found = of_epoch
    key = {"network": network, "seed": seed, "epoch": epoch, "batch_norm": batch_norm}
    ways = {"exact": (FLAGS.target, 0), "sampled": (FLAGS.target, 0)}
    ways["weights"] = f"module_{FLAGS.weights_of}_weights", FLAGS.weights_of
    measured = {}
    for name, (target, above) in ways.items():
        way = {**key, "estimator": "sampled" if name == "sampled" else "exact", "target": target}
        way = {column: way[column] for column in KEY}
        batches = gradient_tables.batches_of(way, skips[above:], found[name])
        measured |= {} if batches is None else {name: batches}
    rows = {
        "": [gradient_tables.by_length(m) for m in measured.values()],
        "_ranges": [gradient_tables.ranges(m) for m in measured.values()],
        "_fits": [gradient_tables.fits(m) for m in measured.values()],
        "_modules": [gradient_tables.by_module(key, np.stack(found["modules"]))],
        "_quantiles": [],
        "_cancellation": [],
    }
    if "sampled" in measured:
        rows["_quantiles"] = [gradient_tables.quantiles(measured["sampled"])]
        rows["_cancellation"] = [
            gradient_tables.cancellation(measured["sampled"], measured["exact"])
        ]
    return {suffix: [frame for frame in frames if len(frame)] for suffix, frames in rows.items()}


def main() -> None:
    """Takes every network apart and writes the tables."""
    seeds = cli.whole_numbers("seeds", FLAGS.seeds)
    runs = [
        (name, seed)
        for name in chosen_networks(FLAGS.networks, "sampled_networks", FLAGS.sampled_networks)
        for seed in seeds
    ]
    output_dir = Path(FLAGS.output_dir)
    cli.require_writable_folder(output_dir)

    import pandas as pd
    from tqdm import tqdm

    from residual_ensembles import executor
    from residual_ensembles.analysis.gradient_tables import COLUMNS
    from residual_ensembles.files import write_csv
    from residual_ensembles.paths import measurement

    settings = settings_from_flags()
    files = {
        run: networks_by_epoch(Path(FLAGS.networks_dir) / "{}-{}".format(*run)) for run in runs
    }
    to_sample = [run for run in runs if settings.samples and run[0] in FLAGS.sampled_networks]
    # Sampling takes longest and goes first.
    work = [(run, "sampled", dict([max(files[run].items())])) for run in to_sample]
    work += [(run, "exact", files[run]) for run in runs]
    tasks = [(each, Path(FLAGS.data), settings, how) for _, how, each in work]
    total = sum(len(each) for _, _, each in work) * FLAGS.batches
    with tqdm(total=total, unit="batch") as progress:
        results = executor.side_by_side(measurement.measure_network, tasks, progress.update)
    measured = {(run, how): found for (run, how, _), found in zip(work, results, strict=True)}
    for run in to_sample:
        (sampled,) = measured[run, "sampled"]
        measured[run, "exact"][-1].found["sampled"] = sampled.found["sampled"]
    found = [tables(*run, of_epoch) for run in runs for of_epoch in measured[run, "exact"]]
    for suffix, columns in COLUMNS.items():
        frames = [frame for rows in found for frame in rows[suffix]]
        table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
        write_csv(output_dir / f"path_gradients{suffix}.csv", table.reindex(columns=columns))
    n_networks = sum(map(len, files.values()))
    print(f"Gradients of {n_networks} networks by path: {output_dir / 'path_gradients.csv'}")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
