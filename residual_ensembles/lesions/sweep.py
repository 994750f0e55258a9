"""One network of a study taken apart: with a bar, its predictions kept, its rows returned."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from tqdm import tqdm

from residual_ensembles.files import write_npz
from residual_ensembles.lesions.engine import Evaluation, evaluate
from residual_ensembles.lesions.plans import PlannedLesion
from residual_ensembles.lesions.summary import exactness, summary
from residual_ensembles.lesions.table import lesion_table


class PartPictures:
    """The pictures of a part, read when they are asked for.

    Args:
        part: Of prepared data.
    """

    def __init__(self, part):
        self.part = part

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, indices):
        return self.part.pictures(indices)


class Swept(NamedTuple):
    """What came out of the sweep of one network."""

    table: pd.DataFrame
    """Its rows of lesions.csv."""
    exactness: dict
    """Its row of exactness.csv."""


def sweep(
    chain,
    plan: Sequence[PlannedLesion],
    part,
    network: tuple[str, int],
    output_dir: Path,
    **options,
) -> Swept:
    """Evaluates a plan, writes `predictions/NETWORK-SEED.npz`, and returns the rows of the tables.

    Args:
        chain: The network.
        plan: Its lesions.
        part: Of prepared data; what is evaluated.
        network: Its name and seed in tables.
        output_dir: The study's folder.
        **options: As for `evaluate`.
    """
    name, seed = network
    title = f"{name}-{seed}: {len(plan)} lesions, {len(part)} pictures"
    with tqdm(
        total=len(plan) * len(part), desc=title, unit="", unit_scale=True, mininterval=1
    ) as bar:
        found = evaluate(
            chain, plan, PartPictures(part), labels=part.labels, progress=bar.update, **options
        )
    precision = options.get("precision", "float32")
    print(f"{title}; {summary(found, precision)}", flush=True)
    write_predictions(output_dir / "predictions" / f"{name}-{seed}.npz", found, part.labels)
    n_modules = len(chain.modules)
    return Swept(
        lesion_table(name, seed, plan, n_modules, found.predictions, part.labels, found.intact),
        {"network": name, "seed": seed, **exactness(found, precision)},
    )


def write_predictions(path: Path, evaluation: Evaluation, labels) -> None:
    """Writes one row for each lesion, one column for each picture, and how far they are exact."""
    write_npz(
        path,
        predictions=evaluation.predictions.astype("int16"),
        labels=labels.astype("int16"),
        n_close=evaluation.n_close,
        n_redone=evaluation.n_redone,
        n_beyond=evaluation.n_beyond,
    )
