"""Stage `ensemble`: trains a few small networks, together as many modules as one large, and lets
them vote.

`python -m pipelines.ensemble --help`
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from absl import flags

from residual_ensembles import backend, cli, data, models, training
from residual_ensembles.parameters import MAX_MEMBERS
from residual_ensembles.storage import checkpoints
from residual_ensembles.storage.files import write_csv, write_npz
from residual_ensembles.train import define_schedule_flags, schedule_from_flags
from residual_ensembles.training.settings import Settings

FLAGS = flags.FLAGS

SEEDS_APART = 100
"""Member j of the study's seed s is trained with seed 100 s + j: no two members are alike."""
BATCH = 250
MEMBER_COLUMNS = ("n_modules", "n_parameters", "epochs", "n_test_images", "test_error_fraction")


def define_flags() -> None:
    """Defines the flags; each says its unit."""
    flags.DEFINE_string("data", None, "prepared folder; members vote on its test part")
    flags.DEFINE_integer("members", 6, "networks that vote; 0: no ensemble", 0)
    flags.DEFINE_integer("depth", 20, "layers of each, a ResNet: 6n+2", 1)
    flags.DEFINE_list("seeds", ["0"], "of the study, an ensemble each")
    flags.DEFINE_list(
        "only", [], "members, from 1, that are trained, without a vote; empty: all, and the vote"
    )
    define_schedule_flags()
    flags.DEFINE_string("output_dir", None, "folder for ensemble.csv and ensemble/")
    flags.mark_flags_as_required(["data", "output_dir"])


def chosen_members() -> list[int]:
    """Returns the members that are trained now, from 1.

    Raises:
        ValueError: There are too many, or one is not among them.
    """
    if FLAGS.members > MAX_MEMBERS:
        raise ValueError(
            f"Received --members={FLAGS.members}, expected at most {MAX_MEMBERS}: every committee "
            "of them votes."
        )
    only = cli.whole_numbers("only", FLAGS.only)
    strange = [member for member in only if not 1 <= member <= FLAGS.members]
    if strange:
        raise ValueError(
            f"Received --only={','.join(FLAGS.only)}, but there is no member {strange[0]}, "
            f"expected some of 1..{FLAGS.members}."
        )
    return only or list(range(1, FLAGS.members + 1))


def member_folder(output_dir: Path, seed: int, member: int) -> Path:
    """Returns where the results of one member are."""
    return output_dir / "ensemble" / f"member{member}-{seed}"


def train_member(prepared, settings, folder: Path) -> dict:
    """Trains one member, or finds it finished, and returns what is in its run.json."""
    name = folder.name.split("-")[0]
    return training.train(prepared, settings, folder, checkpoints.folder(), name)


def probabilities(chain, part):
    """Returns the softmax of a network's logits, `(pictures, classes)`."""
    from scipy.special import softmax

    batches = (np.arange(i, min(i + BATCH, len(part))) for i in range(0, len(part), BATCH))
    logits = [np.asarray(chain(part.pictures(index))) for index in batches]
    return softmax(np.concatenate(logits).astype("float64"), axis=-1)


def ballot(prepared, seed: int, runs: list[dict], output_dir: Path):
    """Lets the members of one seed vote, keeps predictions, and returns rows of the table."""
    from residual_ensembles.analysis.voting import vote

    part = prepared.part("test")
    folders = [member_folder(output_dir, seed, j) for j in range(1, len(runs) + 1)]
    found = [probabilities(models.load(folder / "model.keras"), part) for folder in folders]
    table, predictions = vote(seed, np.stack(found), part.labels, runs[0]["n_modules"])
    write_npz(
        output_dir / "ensemble" / f"predictions-{seed}.npz",
        predictions=predictions.astype("int16"),
        labels=part.labels.astype("int16"),
    )
    return table


def main() -> None:
    """Trains the members, and writes how their committees vote."""
    members, seeds = chosen_members(), cli.whole_numbers("seeds", FLAGS.seeds)
    output_dir = Path(FLAGS.output_dir)
    settings = Settings(depth=FLAGS.depth, snapshots=(), **schedule_from_flags())
    cli.require_writable_folder(output_dir)

    import pandas as pd  # here: whoever is told how to call this shall not wait for it

    from residual_ensembles.analysis.voting import COLUMNS

    backend.configure()
    prepared = data.load(FLAGS.data)
    tables, rows = [pd.DataFrame(columns=COLUMNS)], []
    for seed in seeds if members else []:
        runs = []
        for member in members:
            own = replace(settings, seed=SEEDS_APART * seed + member)
            runs.append(train_member(prepared, own, member_folder(output_dir, seed, member)))
            facts = {name: runs[-1][name] for name in MEMBER_COLUMNS}
            rows.append({"seed": seed, "member": member, **facts})
        if not FLAGS.only:
            tables.append(ballot(prepared, seed, runs, output_dir))
    if FLAGS.only:
        print(f"{len(rows)} members are trained; without --only they vote")
        return
    columns = ["seed", "member", *MEMBER_COLUMNS]
    write_csv(output_dir / "ensemble" / "members.csv", pd.DataFrame(rows, columns=columns))
    table = pd.concat(tables[1:] or tables, ignore_index=True)
    write_csv(output_dir / "ensemble.csv", table)
    print(f"{len(table)} votes of {len(rows)} members: {output_dir / 'ensemble.csv'}")


if __name__ == "__main__":
    define_flags()
    cli.run(main)
