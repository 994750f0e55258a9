"""Stage `path_gradients`: takes the gradient of every trained network apart, by path.

`python -m pipelines.path_gradients --help`
"""

from pathlib import Path

from absl import flags

from pipelines.study import chosen_networks
from residual_ensembles import cli

FLAGS = flags.FLAGS


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


def settings():
    """Returns how gradients are taken apart, as the flags say."""
    from residual_ensembles.gradient_study import GradientStudy

    names = GradientStudy.__dataclass_fields__
    return GradientStudy(**{name: FLAGS[name].value for name in names})


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

    from tqdm import tqdm

    from residual_ensembles import executor
    from residual_ensembles.gradient_study import measure_network, write_tables

    study = settings()
    files = {
        run: networks_by_epoch(Path(FLAGS.networks_dir) / "{}-{}".format(*run)) for run in runs
    }
    to_sample = [run for run in runs if study.samples and run[0] in FLAGS.sampled_networks]
    # Sampling takes longest and goes first.
    work = [(run, "sampled", dict([max(files[run].items())])) for run in to_sample]
    work += [(run, "exact", files[run]) for run in runs]
    tasks = [(each, Path(FLAGS.data), study, FLAGS.batch_norm, how) for _, how, each in work]
    total = sum(len(each) for _, _, each in work) * FLAGS.batches
    with tqdm(total=total, unit="batch") as progress:
        results = executor.side_by_side(measure_network, tasks, progress.update)
    measured = {(run, how): found for (run, how, _), found in zip(work, results, strict=True)}
    for run in to_sample:
        (sampled,) = measured[run, "sampled"]
        measured[run, "exact"][-1].found["sampled"] = sampled.found["sampled"]
    found = [study.tables(*run, each) for run in runs for each in measured[run, "exact"]]
    write_tables(found, output_dir)
    n_networks = sum(map(len, files.values()))
    print(f"Gradients of {n_networks} networks by path: {output_dir / 'path_gradients.csv'}")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
