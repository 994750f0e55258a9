"""Path gradients of one network: measurement of a batch, and tables of all batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from residual_ensembles import paths
from residual_ensembles.arguments import checked
from residual_ensembles.parameters import PathParameters
from residual_ensembles.paths.study import gradient_tables
from residual_ensembles.storage.files import write_csv

DEFAULTS = PathParameters()


@checked
@dataclass(frozen=True)
class GradientStudy:
    """Settings of the measurement of path gradients, as in `parameters.PathParameters`."""

    samples: int = DEFAULTS.samples
    batches: int = DEFAULTS.batches
    batch_size: int = DEFAULTS.batch_size
    target: str = DEFAULTS.target
    weights_of_module: int = DEFAULTS.weights_of_module
    seed: int = DEFAULTS.seed

    def add_exact(self, batch, chain, result: dict[str, list]) -> None:
        """Adds the exact gradients of a batch to what `empty_results` returned.

        These are `exact`, `modules`, `errors` and, where the module has weights, `weights`.
        """
        if self._has_weights(chain):
            # First, as the exact gradient below reuses its cotangents.
            weights = paths.weight_gradient(batch, self.weights_of_module)
            result["weights"].append(_columns(weights))
        exact = paths.batch_gradient_by_length(batch, target=self.target)
        result["exact"].append(_columns(exact))
        result["errors"].append(exact.error)
        result["modules"].append(paths.share_by_module(batch))

    def _has_weights(self, chain) -> bool:
        """Whether the module `weights_of_module` exists and has trainable weights."""
        number = self.weights_of_module
        modules = chain.modules[number - 1 : number] if number else []
        return any(v.trainable for module in modules for v in module.variables)

    def batch(self, split, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the images and labels of a batch, a function of (seed, index)."""
        drawn = paths.draw_batch(len(split), min(self.batch_size, len(split)), self.seed, index)
        return split.images(drawn), split.labels[drawn]

    @property
    def paths_of_batch(self) -> int:
        """Number of sampled paths of each length in a batch."""
        return -(-self.samples // self.batches)

    def sample_paths(self, batch, chain, index: int, lengths: np.ndarray) -> tuple:
        """Samples paths of some lengths; returns lengths, log10 norms and shares."""
        skips, count = skips_of(chain), self.paths_of_batch
        drawn = [paths.draw_paths(skips, int(k), count, self.seed, index) for k in lengths]
        result = paths.batch_path_gradients(batch, np.concatenate(drawn), self.target)
        shape = len(lengths), count
        return lengths, result.log10_norms.reshape(shape), result.shares.reshape(shape)

    def tables(self, network: str, seed: int, measured: "SnapshotGradients") -> dict:
        """Returns the rows of one network at one epoch, by the suffix of their table."""
        epoch, batch_norm, skips, result = measured
        key = {"network": network, "seed": seed, "epoch": epoch, "batch_norm": batch_norm}
        targets = {"exact": (self.target, 0), "sampled": (self.target, 0)}
        targets["weights"] = f"module_{self.weights_of_module}_weights", self.weights_of_module
        by_batch: dict[str, gradient_tables.Batches] = {}
        for name, (target, above) in targets.items():
            estimator = "sampled" if name == "sampled" else "exact"
            columns = {**key, "estimator": estimator, "target": target}
            batches = gradient_tables.batches_of(columns, skips[above:], result[name])
            by_batch |= {} if batches is None else {name: batches}
        rows = {
            "": [gradient_tables.by_length(m) for m in by_batch.values()],
            "_ranges": [gradient_tables.ranges(m) for m in by_batch.values()],
            "_fits": [gradient_tables.fits(m) for m in by_batch.values()],
            "_modules": [gradient_tables.by_module(key, np.stack(result["modules"]))],
            "_sums": [gradient_tables.sums({**key, "target": self.target}, result["errors"])],
            "_quantiles": [],
            "_cancellation": [],
        }
        if "sampled" in by_batch:
            rows["_quantiles"] = [gradient_tables.quantiles(by_batch["sampled"])]
            rows["_cancellation"] = [
                gradient_tables.cancellation(by_batch["sampled"], by_batch["exact"])
            ]
        return {s: [frame for frame in frames if len(frame)] for s, frames in rows.items()}


class SnapshotGradients(NamedTuple):
    """The gradients of one network at one epoch."""

    epoch: int
    batch_norm: str
    skips: list[bool]
    """Whether each module has a skip."""
    results: dict[str, list]
    """Results of all batches, in the lists of `empty_results`."""


def empty_results() -> dict[str, list]:
    """Returns empty lists of results, one entry for each batch.

    Entries of `exact`, `weights` and `sampled` are (lengths, log10 norms, shares), the latter two
    `(lengths, paths)`; those of `modules` are `(n_modules,)`, those of `errors` numbers.
    """
    return {"exact": [], "weights": [], "sampled": [], "modules": [], "errors": []}


def skips_of(chain) -> list[bool]:
    """Returns whether each module has a skip."""
    return [module.has_skip for module in chain.modules]


def lengths_of(chain) -> np.ndarray:
    """Returns all path lengths of a network, from the number of modules without a skip."""
    return np.arange(skips_of(chain).count(False), len(chain.modules) + 1)


def _columns(by_length):
    return by_length.lengths, by_length.log10_norms[:, None], by_length.shares[:, None]


@checked
def write_gradient_tables(result: Sequence[dict], folder) -> None:
    """Writes path_gradients*.csv, of the `tables` of each network and epoch."""
    import pandas as pd

    for suffix, columns in gradient_tables.COLUMNS.items():
        frames = [frame for rows in result for frame in rows[suffix]]
        table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
        write_csv(folder / f"path_gradients{suffix}.csv", table.reindex(columns=columns))
