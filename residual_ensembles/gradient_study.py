"""Gradients by path of one network: what is measured, batch by batch, and its tables."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from residual_ensembles import data, models, paths
from residual_ensembles.analysis import gradient_tables

KEY = ("network", "seed", "epoch", "estimator", "target", "batch_norm")


@dataclass(frozen=True)
class GradientStudy:
    """How the gradient of a network is taken apart.

    Args:
        samples: Sampled paths of each length; 0 for none.
        batches: Batches, each with its share of the samples.
        batch_size: Examples in a batch.
        max_length: Longest path, in modules; None for all.
        target: "y0" or "picture": what the gradient is taken to.
        weights_of: Module whose weights' gradient is taken apart too, from 1; 0 for none.
        seed: Of batches and paths.
    """

    samples: int = 1000
    batches: int = 20
    batch_size: int = 16
    max_length: int | None = None
    target: str = "y0"
    weights_of: int = 1
    seed: int = 0

    def measure(
        self,
        chain,
        batch_norm: str,
        part,
        estimators: Sequence[str],
        advance: Callable[[int], object],
    ) -> dict[str, list]:
        """Takes the gradient of each batch apart.

        Args:
            chain: The network.
            batch_norm: "inference" or "training".
            part: Where batches are drawn from.
            estimators: "exact", all paths of each length together, "sampled", single paths.
            advance: Called with 1 after each batch.

        Returns:
            For `exact`, `weights`, `sampled`: one (lengths, log10 norms, shares) for each batch,
            the latter two `(lengths, paths)`. For `modules`: one `(n_modules,)` for each batch.
        """
        linearization = paths.Linearization(chain, batch_norm)
        found = {"exact": [], "weights": [], "sampled": [], "modules": []}
        for index, pictures, labels in self._batches_of(part):
            point = linearization.at(pictures, labels)
            if "exact" in estimators:
                if self._has_weights(chain):
                    # Before the rest, which goes on where this ends.
                    weights = paths.weight_gradient(point, self.weights_of, self._longest(chain))
                    found["weights"].append(_columns(weights))
                exact = paths.exact(point, self._longest(chain), self.target)
                found["exact"].append(_columns(exact))
                found["modules"].append(paths.share_by_module(point))
            if "sampled" in estimators:
                found["sampled"].append(self._sampled(point, chain, index))
            advance(1)
        return found

    def _longest(self, chain) -> int:
        """The longest path looked at; none is shorter than the modules without a skip."""
        n = len(chain.modules)
        return n if self.max_length is None else min(max(self.max_length, _shortest(chain)), n)

    def _has_weights(self, chain) -> bool:
        """Whether there is a module of that number, and something in it is trained."""
        modules = chain.modules[self.weights_of - 1 : self.weights_of] if self.weights_of else []
        return any(v.trainable for module in modules for v in module.variables)

    def _batches_of(self, part) -> Iterator:
        """Yields each batch's number, pictures and labels."""
        size = min(self.batch_size, len(part))
        for index in range(self.batches):
            drawn = paths.draw_batch(len(part), size, self.seed, index)
            yield index, part.pictures(drawn), part.labels[drawn]

    def _sampled(self, point, chain, index: int) -> tuple:
        """Returns this batch's part of the sampled paths: lengths, norms and shares of each."""
        lengths = np.arange(_shortest(chain), self._longest(chain) + 1)
        count = -(-self.samples // self.batches)
        skips = skips_of(chain)
        drawn = [paths.draw_paths(skips, int(k), count, self.seed, index) for k in lengths]
        found = paths.sampled(point, np.concatenate(drawn), self.target)
        shape = len(lengths), count
        return lengths, found.log10_norms.reshape(shape), found.shares.reshape(shape)

    def tables(self, network: str, seed: int, measured: "Measured") -> dict:
        """Returns the rows of one network at one epoch, by the suffix of their table.

        Args:
            network: Its name in tables.
            seed: It was trained with.
            measured: What was found of it.
        """
        epoch, batch_norm, skips, found = measured
        key = {"network": network, "seed": seed, "epoch": epoch, "batch_norm": batch_norm}
        ways = {"exact": (self.target, 0), "sampled": (self.target, 0)}
        ways["weights"] = f"module_{self.weights_of}_weights", self.weights_of
        by_batch = {}
        for name, (target, above) in ways.items():
            estimator = "sampled" if name == "sampled" else "exact"
            way = {**key, "estimator": estimator, "target": target}
            way = {column: way[column] for column in KEY}
            batches = gradient_tables.batches_of(way, skips[above:], found[name])
            by_batch |= {} if batches is None else {name: batches}
        rows = {
            "": [gradient_tables.by_length(m) for m in by_batch.values()],
            "_ranges": [gradient_tables.ranges(m) for m in by_batch.values()],
            "_fits": [gradient_tables.fits(m) for m in by_batch.values()],
            "_modules": [gradient_tables.by_module(key, np.stack(found["modules"]))],
            "_quantiles": [],
            "_cancellation": [],
        }
        if "sampled" in by_batch:
            rows["_quantiles"] = [gradient_tables.quantiles(by_batch["sampled"])]
            rows["_cancellation"] = [
                gradient_tables.cancellation(by_batch["sampled"], by_batch["exact"])
            ]
        return {s: [frame for frame in frames if len(frame)] for s, frames in rows.items()}


class Measured(NamedTuple):
    """The gradients of one network at one epoch."""

    epoch: int
    batch_norm: str
    skips: list[bool]
    """Whether each module has a skip."""
    found: dict[str, list]
    """From `GradientStudy.measure`."""


def measure_network(
    files: dict[int, Path],
    folder: Path,
    study: GradientStudy,
    batch_norm: str,
    estimator: str,
    advance: Callable[[int], object],
) -> list[Measured]:
    """Measures a network at several epochs of its training.

    Args:
        files: The saved network by epoch, 0 before training, in ascending order.
        folder: Prepared data; batches are drawn from its train part.
        study: What is measured.
        batch_norm: Of a trained network; an untrained one always uses the batch's own statistics.
        estimator: "exact" or "sampled".
        advance: Called with 1 after each batch.
    """
    part = data.load(folder).part("train")
    chain, measured = None, []
    for epoch, file in files.items():
        if chain is None:
            chain = models.in_float32(models.load(file))
        else:
            models.load_weights(chain, file)  # so that nothing is compiled twice
        own = batch_norm if epoch else "training"
        found = study.measure(chain, own, part, [estimator], advance)
        measured.append(Measured(epoch, own, skips_of(chain), found))
    return measured


def skips_of(chain) -> list[bool]:
    """Returns whether each module has a skip."""
    return [module.has_skip for module in chain.modules]


def _shortest(chain) -> int:
    return skips_of(chain).count(False)


def _columns(by_length):
    return by_length.lengths, by_length.log10_norms[:, None], by_length.shares[:, None]


def write_tables(found: Sequence[dict], folder) -> None:
    """Writes path_gradients*.csv.

    Args:
        found: What `tables` returned, of one network at one epoch after the other.
        folder: Where to.
    """
    import pandas as pd

    from residual_ensembles.files import write_csv

    for suffix, columns in gradient_tables.COLUMNS.items():
        frames = [frame for rows in found for frame in rows[suffix]]
        table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
        write_csv(folder / f"path_gradients{suffix}.csv", table.reindex(columns=columns))
