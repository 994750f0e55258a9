"""Choice of the networks of a study that the explorer offers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from residual_ensembles.models.architectures import ARCHITECTURES


class Choice(NamedTuple):
    """A network that the explorer may offer."""

    name: str
    """In the study."""
    seed: int
    title: str
    """As people call it."""
    path: Path
    """Of its model.keras."""
    error_fraction: float
    """On the whole test split, intact."""
    n_images: int
    """Images of the test split."""


def choose(networks_dir: Path, networks: Sequence[str], seeds: Sequence[int]) -> list[Choice]:
    """Returns a network of each family without gates of its own, as far as the study has any.

    Of several ResNets it is the first that was trained without gates, else the first of all; and of
    several seeds the first.

    Args:
        networks_dir: Folder of NETWORK-SEED/model.keras and run.json.
        networks: Names, in the study's order.
        seeds: Seeds, in the study's order.

    Raises:
        ValueError: A run.json cannot be read.
    """
    runs = [(name, _run(networks_dir / f"{name}-{seeds[0]}")) for name in networks]
    runs.sort(key=lambda run: run[1]["gating"] != "none")  # stable: the study's order stays
    chosen: dict[str, Choice] = {}
    for name, run in runs:
        family = _family(run["model"])
        if family and family not in chosen:
            chosen[family] = _choice(networks_dir, name, seeds[0], run)
    return [chosen[title] for title in dict.fromkeys(_titles()) if title in chosen]


def _titles() -> list[str]:
    return [known.title for known in ARCHITECTURES.values()]


def _family(model: str) -> str | None:
    """Returns what people call networks of a kind; None of those that the explorer cannot run."""
    known = ARCHITECTURES.get(model)
    return None if known is None or known.has_gates else known.title


def _choice(networks_dir: Path, name: str, seed: int, run: dict) -> Choice:
    gated = "" if run["gating"] == "none" else f", {run['gating'].replace('_', ' ')}"
    return Choice(
        name,
        seed,
        f"{_family(run['model'])}-{run['depth']}{gated}",
        networks_dir / f"{name}-{seed}" / "model.keras",
        run["test_error_fraction"],
        run["n_test_images"],
    )


def _run(folder: Path) -> dict:
    try:
        return json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"Received {folder}, whose run.json cannot be read ({error}), expected the folder of a "
            "trained network."
        ) from None
