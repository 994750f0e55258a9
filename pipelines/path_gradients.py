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
    """
    import pandas as pd

    last = int(pd.read_csv(folder / "history.csv").epoch.max())
    snapshots = {int(f.stem.split("-")[1]): f for f in (folder / "snapshots").glob("epoch-*.keras")}
    return {**dict(sorted(snapshots.items())), last: folder / "model.keras"}


def batches_of(part):
    """Yields each batch's number, pictures and labels."""
    from residual_ensembles import paths

    size = min(FLAGS.batch_size, len(part))
    for index in range(FLAGS.batches):
        drawn = paths.draw_batch(len(part), size, FLAGS.seed, index)
        yield index, part.pictures(drawn), part.labels[drawn]


def sampled_by_length(point, skips, lengths, index: int):
    """Returns this batch's part of the sampled paths: norms and shares, `(lengths, paths)` each."""
    import numpy as np

    from residual_ensembles import paths

    count = -(-FLAGS.samples // FLAGS.batches)
    drawn = [paths.draw_paths(skips, int(k), count, FLAGS.seed, index) for k in lengths]
    found = paths.sampled(point, np.concatenate(drawn), FLAGS.target)
    return (values.reshape(len(lengths), count) for values in (found.log10_norms, found.shares))


def measure(chain, batch_norm: str, part, sample: bool, advance) -> dict[str, list]:
    """Takes the gradient of each batch apart.

    Args:
        chain: The network.
        batch_norm: "inference" or "training".
        part: Where batches are drawn from.
        sample: Whether to sample single paths too.
        advance: Called after each batch.

    Returns:
        For `exact`, `weights`, `sampled`: one (lengths, log10 norms, shares) for each batch, the
        latter two `(lengths, paths)`. For `modules`: one `(n_modules,)` for each batch.
    """
    from residual_ensembles import paths

    linearization = paths.Linearization(chain, batch_norm)
    skips = [module.has_skip for module in chain.modules]
    longest = (
        FLAGS.max_length if FLAGS.max_length is None else max(FLAGS.max_length, skips.count(False))
    )
    found = {"exact": [], "weights": [], "sampled": [], "modules": []}
    for index, pictures, labels in batches_of(part):
        point = linearization.at(pictures, labels)
        if 1 <= FLAGS.weights_of <= len(skips):
            # Before the rest, which goes on where this ends.
            weights = paths.weight_gradient(point, FLAGS.weights_of, longest)
            found["weights"].append(_columns(weights))
        exact = paths.exact(point, longest, FLAGS.target)
        found["exact"].append(_columns(exact))
        found["modules"].append(paths.share_by_module(point))
        if sample:
            values = sampled_by_length(point, skips, exact.lengths, index)
            found["sampled"].append((exact.lengths, *values))
        advance()
    return found


def _columns(by_length):
    return by_length.lengths, by_length.log10_norms[:, None], by_length.shares[:, None]


def tables(key: dict, skips, found: dict[str, list]) -> dict:
    """Returns the rows of one network at one epoch, by the suffix of their table.

    Args:
        key: network, seed, epoch, batch_norm.
        skips: Whether each module has a skip.
        found: From `measure`.
    """
    import numpy as np

    from residual_ensembles.analysis import gradient_tables

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


def study_network(name: str, seed: int, part, progress) -> list[dict]:
    """Returns the tables of one network, from before its training to after."""
    from residual_ensembles import models

    files = networks_by_epoch(Path(FLAGS.networks_dir) / f"{name}-{seed}")
    chain, found = None, []
    for epoch, file in files.items():
        if chain is None:
            chain = models.in_float32(models.load(file))
        else:
            models.load_weights(chain, file)  # so that nothing is compiled twice
        batch_norm = FLAGS.batch_norm if epoch else "training"
        sample = name in FLAGS.sampled_networks and epoch == max(files) and FLAGS.samples > 0
        progress.set_postfix_str(f"{name}-{seed}, epoch {epoch}")
        measured = measure(chain, batch_norm, part, sample, progress.update)
        key = {"network": name, "seed": seed, "epoch": epoch, "batch_norm": batch_norm}
        found.append(tables(key, [module.has_skip for module in chain.modules], measured))
    return found


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

    from residual_ensembles import backend, data
    from residual_ensembles.analysis.gradient_tables import COLUMNS
    from residual_ensembles.files import write_csv

    backend.configure()
    part = data.load(FLAGS.data).part("train")
    n_networks = sum(len(networks_by_epoch(Path(FLAGS.networks_dir) / f"{n}-{s}")) for n, s in runs)
    with tqdm(total=n_networks * FLAGS.batches, unit="batch") as progress:
        found = [rows for run in runs for rows in study_network(*run, part, progress)]
    for suffix, columns in COLUMNS.items():
        frames = [frame for rows in found for frame in rows[suffix]]
        table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
        write_csv(output_dir / f"path_gradients{suffix}.csv", table.reindex(columns=columns))
    print(f"Gradients of {n_networks} networks by path: {output_dir / 'path_gradients.csv'}")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
