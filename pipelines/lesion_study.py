"""Stage `lesion_study`: takes every trained network of a study apart.

`python -m pipelines.lesion_study --help`
"""

from pathlib import Path

from absl import flags

from residual_ensembles import cli

FLAGS = flags.FLAGS


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
    flags.DEFINE_integer("seed", 0, "of the draws", 0)
    flags.DEFINE_integer("batch_size", 128, "pictures evaluated together", 1)
    flags.DEFINE_string("output_dir", None, "folder for lesions.csv and predictions/")
    flags.mark_flags_as_required(["data", "networks_dir", "networks", "output_dir"])


class TestPictures:
    """The pictures of a part, read when they are asked for."""

    def __init__(self, part):
        self.part = part

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, indices):
        return self.part.pictures(indices)


def chosen_networks() -> list[str]:
    """Returns the networks, after a look at those that get random lesions.

    Raises:
        ValueError: There is none, or one of `--lesion_networks` is not among them.
    """
    networks = [name for name in FLAGS.networks if name]
    if not networks:
        raise ValueError("Received --networks= without a name, expected at least one network.")
    unknown = [name for name in FLAGS.lesion_networks if name and name not in networks]
    if unknown:
        raise ValueError(
            f"Received --lesion_networks={','.join(FLAGS.lesion_networks)}, but {unknown[0]!r} is "
            f"not one of --networks={','.join(networks)}."
        )
    return networks


def study_network(name: str, seed: int, part, output_dir: Path):
    """Takes one network apart, writes its predictions, and returns its rows of the table."""
    from residual_ensembles import lesions, models
    from residual_ensembles.files import write_npz

    chain = models.load(Path(FLAGS.networks_dir) / f"{name}-{seed}" / "model.keras")
    plan = lesions.study_plan(
        chain,
        k=FLAGS.k,
        draws=FLAGS.draws,
        swaps=FLAGS.swaps,
        duplications=FLAGS.duplications,
        seed=FLAGS.seed,
        random=name in FLAGS.lesion_networks,
    )
    predictions = lesions.evaluate_reference(
        chain, [row.lesion for row in plan], TestPictures(part), FLAGS.batch_size
    )
    write_npz(
        output_dir / "predictions" / f"{name}-{seed}.npz",
        predictions=predictions.astype("int16"),
        labels=part.labels.astype("int16"),
    )
    return lesions.lesion_table(name, seed, plan, len(chain.modules), predictions, part.labels)


def main() -> None:
    """Takes every network apart and writes the table."""
    networks = chosen_networks()
    seeds = cli.whole_numbers("seeds", FLAGS.seeds)
    output_dir = Path(FLAGS.output_dir)
    cli.require_writable_folder(output_dir)

    import pandas as pd
    from tqdm import tqdm

    from residual_ensembles import backend, data
    from residual_ensembles.files import write_csv

    backend.configure()
    part = data.load(FLAGS.data).part("test")
    (output_dir / "predictions").mkdir(parents=True, exist_ok=True)
    runs = [(name, seed) for name in networks for seed in seeds]
    tables = [study_network(*run, part, output_dir) for run in tqdm(runs, unit="network")]
    write_csv(output_dir / "lesions.csv", pd.concat(tables, ignore_index=True))
    print(f"{sum(map(len, tables))} lesions of {len(runs)} networks: {output_dir / 'lesions.csv'}")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
