"""Writes tables that look like a study's, from nothing but a seed: no network is involved."""

import json
from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from residual_ensembles.analysis import claims_table, read_tables
from residual_ensembles.analysis.voting import vote
from residual_ensembles.paths.study import gradient_tables
from residual_ensembles.statistics.intervals import wilson
from residual_ensembles.statistics.randomness import generator
from residual_ensembles.storage.columns import (
    GATE_COLUMNS,
    HALF_GATE_COLUMNS,
    LESION_COLUMNS,
    MEMBER_COLUMNS,
)

N = 54
CRITICAL = {1: 0.9, 2: 0.3, 19: 0.12, 37: 0.11}
"""Severity of deleting the modules that matter, 1 is chance."""
MODELS = {
    "resnet": ("resnet", "none", 0.01, 1.0),
    "resnet_effective_paths": ("resnet", "effective_paths", 0.025, 0.8),
    "resnet_stochastic_depth": ("resnet", "stochastic_depth", 0.015, 0.2),
    "highway": ("highway", "none", 0.02, 1.0),
    "vgg": ("vgg", "none", 0.03, 1.0),
}
"""Model, gating, intact error and how much lesions hurt, by network."""


def _severities(name: str, modules: list[int], scale: float) -> float:
    if name == "vgg":
        return 0.95 if modules else 0.0
    harm = sum(CRITICAL.get(module, 0.002) for module in modules) * scale
    return 1 - np.exp(-harm - 0.0035 * len(modules) ** 2)


def _plan(name: str, k: int, draws: int, swaps: int):
    """Yields (sweep, draw, lesion, n_operations, tau, severity)."""
    _, _, _, scale = MODELS[name]
    n = 12 if name == "vgg" else N
    yield "intact", 0, "intact", 0, 1.0, 0.0
    for module in range(1, n + 1):
        severity = _severities(name, [module], scale)
        yield "single_deletion", 0, f"delete {module}", 1, 1.0, severity
    if name != "resnet":
        return
    for sweep, pool in (
        ("random_deletion", np.arange(1, n + 1)),
        ("random_deletion_sparing", np.setdiff1d(np.arange(1, n + 1), [1, 19, 37])),
    ):
        for size in range(1, k + 1):
            for draw in range(draws):
                random = generator(0, sweep, size, draw)
                modules = sorted(int(m) for m in random.choice(pool, size, replace=False))
                lesion = "delete " + ",".join(map(str, modules))
                yield sweep, draw, lesion, size, 1.0, _severities(name, modules, scale)
    for size in range(1, swaps + 1):
        for draw in range(draws):
            random = generator(0, "reorder", size, draw)
            pairs = [tuple(sorted(random.choice(17, 2, replace=False) + 2)) for _ in range(size)]
            tau = 1 - 0.018 * size * random.uniform(0.6, 1.4)
            lesion = "swap " + ",".join(f"{a}-{b}" for a, b in pairs)
            yield "reorder", draw, lesion, size, tau, min(1, 5 * (1 - tau))
    for module in range(1, n + 1):
        yield "single_duplication", 0, f"duplicate {module}", 1, 1.0, 0.003


def _predictions(name: str, seed: int, plan: list, labels: np.ndarray) -> np.ndarray:
    """An image falls at a severity of its own, with some noise from lesion to lesion."""
    random = generator(seed, "pictures", name)
    intact = MODELS[name][2] * (1 + 0.2 * random.normal())
    strength = random.permutation(np.linspace(0, 1, len(labels), endpoint=False))
    rows = []
    for *_, severity in plan:
        noise = 0.02 * severity * random.normal(size=len(labels))
        wrong = strength + noise < intact + (0.9 - intact) * severity
        rows.append(np.where(wrong, (labels + 1) % 10, labels))
    return np.array(rows, "int16")


def write_network(
    folder: Path, name: str, seed: int, plan: list, predictions, labels, facts: dict
) -> pd.DataFrame:
    """Writes predictions and run.json of a network, and returns its rows of lesions.csv."""
    path = folder / "predictions" / f"{name}-{seed}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, predictions=predictions, labels=labels)
    run = folder / "networks" / f"{name}-{seed}" / "run.json"
    run.parent.mkdir(parents=True)
    run.write_text(json.dumps({"network": name, "seed": seed, **facts}))
    n_wrong = (predictions != labels).sum(axis=1)
    rows = [
        (
            *(name, seed, *row[:5]),
            *(len(labels), int(wrong), wrong / len(labels)),
            *wilson(int(wrong), len(labels)),
        )
        for row, wrong in zip(plan, n_wrong, strict=True)
    ]
    return pd.DataFrame(rows, columns=LESION_COLUMNS)


def _gradients(seed: int) -> pd.DataFrame:
    """Norms that fall by a factor of 6 per module; exact sums that cancel more and more."""
    length = np.arange(N + 1)
    random = generator(seed, "gradients")
    single = -2 - 0.78 * length + 0.05 * random.normal(size=N + 1)
    counts = np.array([np.log10(float(comb(N, int(x)))) for x in length])
    summed = single + counts - 0.12 * length
    common = {"network": "resnet", "seed": seed, "epoch": 30, "target": "y0"}
    common |= {"batch_norm": "inference", "length": length}
    frames = [
        pd.DataFrame(
            common
            | {"estimator": estimator, "log10_norm": values}
            | {"log10_norm_low": values - 0.06, "log10_norm_high": values + 0.06}
            | {"n": n, "share_projected": projected, "share_of_norms": share}
            | {"share_projected_low": projected, "share_projected_high": projected}
            | {"share_of_norms_low": share - 0.01, "share_of_norms_high": share + 0.01}
        )
        for estimator, values, n, projected, share in (
            ("sampled", single, 20, np.nan, _shares(single + counts)),
            ("exact", summed, 4, _shares(summed), _shares(summed)),
        )
    ]
    return pd.concat(frames)[list(gradient_tables.COLUMNS[""])]


def _shares(logs: np.ndarray) -> np.ndarray:
    amounts = 10 ** (logs - logs.max())
    return amounts / amounts.sum()


def _fits(seed: int) -> pd.DataFrame:
    """The line through the norms of sampled paths."""
    key = {"network": "resnet", "seed": seed, "epoch": 30, "estimator": "sampled"}
    key |= {
        "target": "y0",
        "batch_norm": "inference",
        "fitted_lengths": "all",
        "first": 0,
        "last": N,
    }
    line = {"slope": -0.78, "slope_low": -0.8, "slope_high": -0.76, "intercept": -2.0}
    line |= {"r_squared": 0.99, "r_squared_low": 0.98, "r_squared_high": 0.995, "n": N + 1}
    near = {
        "share_near_line": 1.0,
        "share_near_line_low": 0.95,
        "share_near_line_high": 1.0,
        "n_batches": 5,
    }
    return pd.DataFrame([key | line | near])


def _cancellation(seed: int) -> pd.DataFrame:
    """What of the gradients of paths is left when they are added."""
    length = np.arange(N + 1)
    key = {"network": "resnet", "seed": seed, "epoch": 30, "target": "y0"}
    kept = {"log10_kept": -0.12 * length, "log10_kept_if_random": -0.2 * length}
    ends = {"log10_kept_low": -0.13 * length, "log10_kept_high": -0.11 * length}
    return pd.DataFrame(key | {"batch_norm": "inference", "length": length} | kept | ends)


def _gates(seed: int) -> pd.DataFrame:
    random = generator(seed, "gates")
    rows = [
        ("highway", seed, when, module, -1.0, gate * (1 + 0.02 * random.normal()))
        for when, gate in (("before", 0.27), ("after", 0.22))
        for module in range(1, N + 1)
    ]
    return pd.DataFrame(rows, columns=GATE_COLUMNS)


def _exactness(network: str, seed: int, n_images: int) -> dict:
    result = {"network": network, "seed": seed, "precision": "float32", "n_lesions": 55}
    result |= {"n_images": n_images}
    result |= {"n_predictions": 55 * n_images, "n_close": 2, "rounding": 1e-4, "n_compared": 64}
    result |= {"n_different": 0, "n_unexplained": 0, "largest_relative_difference": 1.5e-6}
    return result | {
        "n_rounded": 0,
        "n_changed": 0,
        "n_reevaluated": 0,
        "n_threshold_violations": 0,
    }


def _sums(seed: int) -> pd.DataFrame:
    key = {"network": "resnet", "seed": seed, "epoch": [0, 30], "target": "y0"}
    return pd.DataFrame(key | {"batch_norm": "inference", "largest_error": [4e-7, 9e-7], "n": 5})


def _half_gates(seed: int, n_images: int) -> pd.DataFrame:
    row = ("resnet", seed, n_images, 2e-6 + 1e-6 * seed, 0)
    return pd.DataFrame([row], columns=HALF_GATE_COLUMNS)


OF_GRADIENTS = {"resnet": N, "resnet_stochastic_depth": N, "highway": 15, "vgg": 12}
"""Number of modules by network, of two depths, in tables of gradients by module and of ranges."""


def _modules(seed: int) -> pd.DataFrame:
    """Gradient by module."""
    modules = []
    for name, n in OF_GRADIENTS.items():
        key = {"network": name, "seed": seed, "epoch": 30, "batch_norm": "inference"}
        share = np.ones(n) if name == "vgg" else 0.3 * np.exp(-np.arange(n) / n)
        numbers = {"module": np.arange(1, n + 1), "share_projected": share, "n": 5}
        ends = {"share_low": share - 0.02, "share_high": share + 0.02}
        modules.append(pd.DataFrame(key | numbers | ends))
    return pd.concat(modules)


def _ranges(seed: int) -> pd.DataFrame:
    """Effective ranges."""
    ranges = []
    for name in OF_GRADIENTS:
        key = {"network": name, "seed": seed, "epoch": 30}
        readings = ["norm_of_sum", "projection"]
        readings += ["mean_norm_times_paths"] if name == "resnet" else []
        for i, reading in enumerate(readings):
            row = {"estimator": "exact", "target": "y0", "batch_norm": "inference"}
            row |= {"reading": reading, "first": 1 + i, "first_low": i, "first_high": 2 + i}
            row |= {"last": 8 + i, "last_low": 8 + i, "last_high": 9 + i, "n_batches": 5}
            row |= {"share_5_to_17": 0.3, "share_5_to_17_low": 0.25, "share_5_to_17_high": 0.35}
            ranges.append(key | row)
    return pd.DataFrame(ranges)


def _write_ensemble(folder: Path, seeds: tuple[int, ...], labels: np.ndarray) -> None:
    """Six members that are sure of themselves, and wrong on images of their own and of all."""
    tables, members = [], []
    (folder / "ensemble").mkdir()
    for seed in seeds:
        random = generator(seed, "ensemble")
        n = len(labels)
        scores = random.normal(size=(6, n, 10)) + 0.5 * random.normal(size=(n, 10))
        scores[:, np.arange(n), labels] += 3.0
        probabilities = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
        table, predictions = vote(seed, probabilities, labels, n_modules=9)
        tables.append(table)
        file = folder / "ensemble" / f"predictions-{seed}.npz"
        np.savez(file, predictions=predictions, labels=labels)
        for member in range(1, 7):
            error = float(table.error_fraction.iloc[member - 1])
            members.append((seed, member, 9, 44_000, 10, n, error))
    pd.concat(tables).to_csv(folder / "ensemble.csv", index=False)
    pd.DataFrame(members, columns=MEMBER_COLUMNS).to_csv(
        folder / "ensemble/members.csv", index=False
    )


def _facts(name: str, error: float, n_images: int) -> dict:
    model, gating, *_ = MODELS[name]
    return {
        "model": model,
        "depth": 15 if model == "vgg" else 110,
        "gating": gating,
        "epochs": 30,
        "batch_size": 128,
        "learning_rate": 0.1,
        "n_parameters": 1_730_714,
        "n_modules": 12 if model == "vgg" else N,
        "downsampling": [] if model == "vgg" else [N // 3 + 1, 2 * N // 3 + 1],
        "validation_error_fraction": error,
        "test_error_fraction": error,
        "n_test_images": n_images,
        "revision": "0123456789ab",
        "versions": {"python": "3.11.2", "keras": "3.15.1", "tensorflow": "2.21.0"},
        "hardware": {"processor": "A processor", "cores": 2, "memory_gib": 8.0},
        "dataset": {"name": "digits", "title": "Digits (scikit-learn)", "checksum": "ab" * 32},
        "fingerprint": "cd" * 8,
    }


def write_study(
    folder: Path,
    networks: tuple[str, ...] = tuple(MODELS),
    seeds: tuple[int, ...] = (0,),
    n_images: int = 360,
    k: int = 20,
    draws: int = 6,
    swaps: int = 10,
) -> Path:
    """Writes a study, its tables, predictions/ and networks/*/run.json, and returns its folder."""
    labels = (np.arange(n_images) % 10).astype("int16")
    tables = []
    for name in networks:
        for seed in seeds:
            plan = list(_plan(name, k, draws, swaps))
            predictions = _predictions(name, seed, plan, labels)
            facts = _facts(name, float((predictions[0] != labels).mean()), n_images)
            rows = write_network(folder, name, seed, plan, predictions, labels, facts)
            tables.append(rows)
            run = folder / "networks" / f"{name}-{seed}"
            times = {"fingerprint": facts["fingerprint"], "seconds_training": 51.3}
            (run / "times.json").write_text(json.dumps(times))
            history = {"epoch": [1, 2], "error_fraction": [0.5, 0.25]}
            pd.DataFrame(history).to_csv(run / "history.csv", index=False)
            if name == "highway":
                _gates(seed).to_csv(run / "gates.csv", index=False)
    pd.concat(tables).to_csv(folder / "lesions.csv", index=False)
    _write_ensemble(folder, seeds, labels)
    exactness = [_exactness(name, seed, n_images) for name in networks for seed in seeds]
    pd.DataFrame(exactness).to_csv(folder / "exactness.csv", index=False)
    of_seed = {
        "path_gradients": _gradients,
        "path_gradients_fits": _fits,
        "path_gradients_cancellation": _cancellation,
        "path_gradients_modules": _modules,
        "path_gradients_ranges": _ranges,
        "path_gradients_sums": _sums,
        "half_gates": lambda seed: _half_gates(seed, n_images),
    }
    for name, table in of_seed.items():
        pd.concat(map(table, seeds)).to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.fixture(scope="session")
def study(tmp_path_factory) -> Path:
    """The folder of a synthetic study with one seed; to be read only."""
    return write_study(tmp_path_factory.mktemp("results") / "digits")


@pytest.fixture(scope="session")
def study_of_three_seeds(tmp_path_factory) -> Path:
    """The same with three seeds."""
    folder = tmp_path_factory.mktemp("results") / "digits"
    return write_study(folder, seeds=(0, 1, 2), draws=3)


@pytest.fixture(scope="session")
def claims(study) -> pd.DataFrame:
    """The claims of the study with one seed; to be read only."""
    return claims_table(read_tables(study))
