"""Gradients by path of one network: what is measured, batch by batch, and its tables."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from residual_ensembles import paths
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
        self, chain, batch_norm: str, part, sample: bool, advance: Callable[[], object]
    ) -> dict[str, list]:
        """Takes the gradient of each batch apart.

        Args:
            chain: The network.
            batch_norm: "inference" or "training".
            part: Where batches are drawn from.
            sample: Whether to sample single paths too.
            advance: Called after each batch.

        Returns:
            For `exact`, `weights`, `sampled`: one (lengths, log10 norms, shares) for each batch,
            the latter two `(lengths, paths)`. For `modules`: one `(n_modules,)` for each batch.
        """
        linearization = paths.Linearization(chain, batch_norm)
        skips = [module.has_skip for module in chain.modules]
        longest = self.max_length
        longest = None if longest is None else max(longest, skips.count(False))
        found = {"exact": [], "weights": [], "sampled": [], "modules": []}
        for index, pictures, labels in self._batches_of(part):
            point = linearization.at(pictures, labels)
            if self._has_weights(chain):
                # Before the rest, which goes on where this ends.
                weights = paths.weight_gradient(point, self.weights_of, longest)
                found["weights"].append(_columns(weights))
            exact = paths.exact(point, longest, self.target)
            found["exact"].append(_columns(exact))
            found["modules"].append(paths.share_by_module(point))
            if sample:
                values = self._sampled(point, skips, exact.lengths, index)
                found["sampled"].append((exact.lengths, *values))
            advance()
        return found

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

    def _sampled(self, point, skips: Sequence[bool], lengths, index: int) -> Iterator:
        """Returns this batch's part of the sampled paths: norms and shares, `(lengths, paths)`."""
        count = -(-self.samples // self.batches)
        drawn = [paths.draw_paths(skips, int(k), count, self.seed, index) for k in lengths]
        found = paths.sampled(point, np.concatenate(drawn), self.target)
        return (v.reshape(len(lengths), count) for v in (found.log10_norms, found.shares))

    def tables(self, key: dict, skips: Sequence[bool], found: dict[str, list]) -> dict:
        """Returns the rows of one network at one epoch, by the suffix of their table.

        Args:
            key: network, seed, epoch, batch_norm.
            skips: Whether each module has a skip.
            found: From `measure`.
        """
        ways = {"exact": (self.target, 0), "sampled": (self.target, 0)}
        ways["weights"] = f"module_{self.weights_of}_weights", self.weights_of
        measured = {}
        for name, (target, above) in ways.items():
            estimator = "sampled" if name == "sampled" else "exact"
            way = {**key, "estimator": estimator, "target": target}
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
        return {s: [frame for frame in frames if len(frame)] for s, frames in rows.items()}


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
