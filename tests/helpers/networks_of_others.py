"""Writes tables that look like those of a study of four external networks, from a seed alone."""

from math import comb
from pathlib import Path

import numpy as np
import pandas as pd

from residual_ensembles.paths.study import gradient_tables
from residual_ensembles.statistics.randomness import generator
from tests.helpers.synthetic_study import write_network

MODULES = {"resnet20": 9, "resnet32": 15, "resnet44": 21, "resnet56": 27}
KEY = {"seed": 0, "epoch": 1, "target": "y0", "batch_norm": "inference"}
N_IMAGES = 500


def _plan(n: int):
    """Yields (sweep, draw, lesion, n_operations, tau, how much it hurts from 0 to 1)."""
    severity = {module: 0.3 / n + 0.5 * (module in (1, n // 3 + 1)) for module in range(1, n + 1)}
    yield "intact", 0, "intact", 0, 1.0, 0.0
    for module in severity:
        yield "single_deletion", 0, f"delete {module}", 1, 1.0, severity[module]
    for k in range(1, 4):
        for draw in range(3):
            modules = generator(0, "random", n, k, draw).choice(n, k, replace=False) + 1
            lesion = "delete " + ",".join(map(str, sorted(modules)))
            hurt = min(1.0, sum(severity[int(module)] for module in modules))
            for sweep in ("random_deletion", "random_deletion_sparing"):
                yield sweep, draw, lesion, k, 1.0, hurt
            yield "reorder", draw, f"swap 2-{2 + k}", k, 1 - 0.1 * k, 0.15 * k


def _ranges(network: str, n: int) -> list[dict]:
    rows = []
    for reading in ("mean_norm_times_paths", "norm_of_sum", "projection"):
        estimator = "sampled" if reading == "mean_norm_times_paths" else "exact"
        row = {"network": network, **KEY, "estimator": estimator, "reading": reading}
        row |= {
            "first": 1,
            "first_low": 1,
            "first_high": 2,
            "share_5_to_17": 0.2,
            "share_5_to_17_low": 0.1,
        }
        row |= {
            "last": n // 3,
            "last_low": n // 3,
            "last_high": n // 3 + 1,
            "share_5_to_17_high": 0.3,
        }
        rows.append(row | {"n_batches": 5})
    return rows


def _gradients(network: str, n: int) -> pd.DataFrame:
    length = np.arange(n + 1)
    amounts = np.array([comb(n, int(k)) for k in length]) * 10 ** (-0.7 * length)
    share, frames = amounts / amounts.sum(), []
    for estimator in ("sampled", "exact"):
        row = {"network": network, **KEY, "estimator": estimator, "length": length, "n": 5}
        log = -0.7 * length if estimator == "sampled" else np.log10(amounts)
        row |= {
            f"log10_norm{end}": log + by for end, by in (("", 0), ("_low", -0.1), ("_high", 0.1))
        }
        for name in ("share_of_norms", "share_projected"):
            row |= {f"{name}{end}": share for end in ("", "_low", "_high")}
        frames.append(pd.DataFrame(row))
    return pd.concat(frames)[list(gradient_tables.COLUMNS[""])]


def write(folder: Path) -> Path:
    """Writes the study, and returns its folder."""
    labels, lesions = (np.arange(N_IMAGES) % 10).astype("int16"), []
    for network, n in MODULES.items():
        plan = list(_plan(n))
        wrong = np.array([np.arange(N_IMAGES) < N_IMAGES * (0.1 + 0.8 * row[-1]) for row in plan])
        predictions = np.where(wrong, (labels + 1) % 10, labels).astype("int16")
        facts = {"model": "unraveled", "gating": "none", "external": f"keras:{network}.keras"}
        facts |= {"n_modules": n, "n_parameters": 1000}
        facts |= {"downsampling": [n // 3 + 1, 2 * n // 3 + 1], "revision": "0123456789ab"}
        facts |= {"dataset": {"name": "folder", "title": "CIFAR-10 (JPEG)", "checksum": "ab" * 32}}
        lesions.append(write_network(folder, network, 0, plan, predictions, labels, facts))
    pd.concat(lesions).to_csv(folder / "lesions.csv", index=False)
    rows = [row for network, n in MODULES.items() for row in _ranges(network, n)]
    pd.DataFrame(rows).to_csv(folder / "path_gradients_ranges.csv", index=False)
    tables = [_gradients(network, n) for network, n in MODULES.items()]
    pd.concat(tables).to_csv(folder / "path_gradients.csv", index=False)
    return folder
