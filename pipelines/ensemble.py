"""Stage `ensemble`: trains small networks with as many modules in all as a large one; they vote.

python -m pipelines.ensemble
"""

from pathlib import Path

import numpy as np

from pipelines import study as studies
from pipelines.study import Study
from pipelines.training import PlannedRun, train_side_by_side
from residual_ensembles import backend, cli, data, models
from residual_ensembles.storage.columns import ENSEMBLE_COLUMNS, MEMBER_COLUMNS, MEMBER_FACTS
from residual_ensembles.storage.files import write_csv, write_npz

SEEDS_APART = 100
"""Member j of the study's seed s is trained with seed 100 s + j."""
BATCH = 250


def runs_of(study: Study) -> list[PlannedRun]:
    """Returns the members to be trained, seed by seed."""
    folder = study.results / "ensemble"
    return [
        PlannedRun(
            f"member{member}", own, study.member_settings(own), folder / f"member{member}-{seed}"
        )
        for seed in study.seeds
        for member in range(1, study.ensemble.members + 1)
        for own in [SEEDS_APART * seed + member]
    ]


def probabilities(chain, split):
    """Returns the softmax of a network's logits, `(images, classes)`."""
    from scipy.special import softmax

    batches = (np.arange(i, min(i + BATCH, len(split))) for i in range(0, len(split), BATCH))
    logits = [np.asarray(chain(split.images(index))) for index in batches]
    return softmax(np.concatenate(logits).astype("float64"), axis=-1)


def write_votes(split, seed: int, n_modules: int, folders: list[Path], output: Path):
    """Writes predictions of the members of one seed, and returns the table of their votes."""
    from residual_ensembles.analysis.voting import vote

    result = [probabilities(models.load(folder / "model.keras"), split) for folder in folders]
    table, predictions = vote(seed, np.stack(result), split.labels, n_modules)
    write_npz(
        output / f"predictions-{seed}.npz",
        predictions=predictions.astype("int16"),
        labels=split.labels.astype("int16"),
    )
    return table


def main() -> None:
    study = studies.load()
    output_dir, members = study.results, study.ensemble.members
    cli.require_writable_folder(output_dir)

    import pandas as pd  # here, so that errors come fast

    runs = runs_of(study)
    result = train_side_by_side(study, runs) if runs else []
    backend.configure()
    tables, rows = [], []
    for i, seed in enumerate(study.seeds if members else ()):
        own = slice(i * members, (i + 1) * members)
        for member, run in enumerate(result[own], start=1):
            facts = {name: run[name] for name in MEMBER_FACTS}
            rows.append({"seed": seed, "member": member, **facts})
        split, folders = data.load(study.prepared).split("test"), [r.folder for r in runs[own]]
        n_modules = result[own][0]["n_modules"]
        tables.append(write_votes(split, seed, n_modules, folders, output_dir / "ensemble"))
    members_table = pd.DataFrame(rows, columns=MEMBER_COLUMNS)
    write_csv(output_dir / "ensemble" / "members.csv", members_table)
    empty = pd.DataFrame(columns=ENSEMBLE_COLUMNS)
    table = pd.concat(tables, ignore_index=True) if tables else empty
    write_csv(output_dir / "ensemble.csv", table)
    print(f"{len(table)} votes of {len(rows)} members: {output_dir / 'ensemble.csv'}")


if __name__ == "__main__":
    cli.run(main)
