"""Stage `path_gradients`: takes the gradient of every trained network apart, by path.

`python -m pipelines.path_gradients --help`
"""

from pathlib import Path

from absl import flags
from tqdm import tqdm

from pipelines.study import chosen_networks
from residual_ensembles import backend, cli, data, executor, gradients
from residual_ensembles.files import write_json
from residual_ensembles.parameters import BATCH_NORM, TARGETS
from residual_ensembles.provenance import provenance

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
        BATCH_NORM,
        "statistics that batch normalisation uses: the moving ones, or the batch's, whose "
        "derivative then is part of the residual; an untrained network always uses the batch's",
    )
    flags.DEFINE_enum("target", "y0", TARGETS, "what the gradient is taken to")
    flags.DEFINE_integer(
        "weights_of", 1, "module whose weights' gradient is taken apart too, from 1; 0 for none", 0
    )
    flags.DEFINE_integer("seed", 0, "of batches and paths", 0)
    flags.DEFINE_string(
        "output_dir", None, "folder for path_gradients*.csv and path_gradients_run.json"
    )
    flags.mark_flags_as_required(["data", "networks_dir", "networks", "output_dir"])


def networks_by_epoch(folder: Path) -> dict[int, Path]:
    """Returns the files of one network: snapshots by their epoch, and the trained network.

    The trained network is the last: a snapshot after the last epoch would be the same one.

    Raises:
        ValueError: The table of its epochs is damaged.
    """
    import pandas as pd  # here: whoever is told how to call this shall not wait for it

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
    names = gradients.GradientStudy.__dataclass_fields__
    return gradients.GradientStudy(**{name: FLAGS[name].value for name in names})


def epochs_of(run: tuple[str, int], study) -> list:
    """Returns one network at each epoch of its training; the trained one may be sampled too.

    Args:
        run: Its name, and the seed it was trained with.
        study: How gradients are taken apart.
    """
    title = "{}-{}".format(*run)
    files = networks_by_epoch(Path(FLAGS.networks_dir) / title)
    to_sample = study.samples and run[0] in FLAGS.sampled_networks
    return [
        gradients.Network(
            title,
            epoch,
            file,
            FLAGS.batch_norm if epoch else "training",
            ("exact", "sampled") if to_sample and epoch == max(files) else ("exact",),
        )
        for epoch, file in files.items()
    ]


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

    backend.configure()
    study = settings()
    networks = {run: epochs_of(run, study) for run in runs}
    every = [network for each in networks.values() for network in each]
    total = sum(len(network.estimators) for network in every) * FLAGS.batches
    prepared = data.load(FLAGS.data)
    part = prepared.part("train")
    kept = {
        each[0].title: gradients.gradient_cache(each, prepared.checksum, study)
        for each in networks.values()
    }
    with executor.chosen() as chosen, tqdm(total=total, bar_format=gradients.BAR) as progress:
        measured = dict(
            zip(
                every,
                gradients.measure(every, part, study, chosen, progress.update, kept),
                strict=True,
            )
        )
    print(chosen.told())
    facts = {**provenance(), **chosen.provenance()}
    write_json(output_dir / "path_gradients_run.json", facts)
    found = [study.tables(*run, measured[each]) for run in runs for each in networks[run]]
    gradients.write_tables(found, output_dir)
    for cache in kept.values():
        cache.remove()
    print(f"Gradients of {len(every)} networks by path: {output_dir / 'path_gradients.csv'}")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
