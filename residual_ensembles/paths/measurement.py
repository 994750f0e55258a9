"""Takes the gradient of one network apart, from before its training to after."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from residual_ensembles import data, models
from residual_ensembles.paths.by_module import share_by_module
from residual_ensembles.paths.draws import draw_batch, draw_paths
from residual_ensembles.paths.exact import exact
from residual_ensembles.paths.point import Linearization
from residual_ensembles.paths.sampled import sampled
from residual_ensembles.paths.weights import weight_gradient


@dataclass(frozen=True)
class Settings:
    """What is measured."""

    samples: int = 1000
    """Sampled paths of each length, over all batches; 0 for none."""
    batches: int = 20
    batch_size: int = 16
    """Pictures in a batch; 1 for norms per picture."""
    max_length: int | None = None
    """Longest path, modules; None for all."""
    batch_norm: str = "inference"
    """Of a trained network; an untrained one always uses the batch's own statistics."""
    target: str = "y0"
    weights_of: int = 1
    """Module whose weights' gradient is taken apart too, from 1; 0 for none."""
    seed: int = 0
    """Of batches and paths."""


class Measured(NamedTuple):
    """The gradients of one network at one epoch."""

    epoch: int
    batch_norm: str
    skips: list[bool]
    """Whether each module has a skip."""
    found: dict[str, list]
    """For `exact`, `weights`, `sampled`: one (lengths, log10 norms, shares) for each batch, the
    latter two `(lengths, paths)`. For `modules`: one `(n_modules,)` for each batch."""


def measure_network(
    files: dict[int, Path],
    folder: Path,
    settings: Settings,
    how: str,
    advance: Callable[[int], object],
) -> list[Measured]:
    """Measures a network at several epochs of its training.

    Args:
        files: The saved network by epoch, 0 before training, in ascending order.
        folder: Prepared data; batches are drawn from its train part.
        settings: What is measured.
        how: "exact", all paths of each length together, or "sampled", single paths.
        advance: Called with 1 after each batch.
    """
    part = data.load(folder).part("train")
    chain, measured = None, []
    for epoch, file in files.items():
        if chain is None:
            chain = models.in_float32(models.load(file))
        else:
            models.load_weights(chain, file)  # so that nothing is compiled twice
        skips = [module.has_skip for module in chain.modules]
        batch_norm = settings.batch_norm if epoch else "training"
        linearization = Linearization(chain, batch_norm)
        found = {"exact": [], "weights": [], "sampled": [], "modules": []}
        for index, pictures, labels in batches(part, settings):
            point = linearization.at(pictures, labels)
            of_batch = (
                _exact(point, skips, settings)
                if how == "exact"
                else {"sampled": _sampled(point, skips, settings, index)}
            )
            for name, value in of_batch.items():
                found[name].append(value)
            advance(1)
        measured.append(Measured(epoch, batch_norm, skips, found))
    return measured


def batches(part: data.Part, settings: Settings):
    """Yields each batch's number, pictures and labels."""
    size = min(settings.batch_size, len(part))
    for index in range(settings.batches):
        drawn = draw_batch(len(part), size, settings.seed, index)
        yield index, part.pictures(drawn), part.labels[drawn]


def _longest(skips: list[bool], settings: Settings) -> int:
    """The longest path that is looked at; none is shorter than the modules without a skip."""
    n = len(skips) if settings.max_length is None else settings.max_length
    return min(max(n, skips.count(False)), len(skips))


def _exact(point, skips: list[bool], settings: Settings) -> dict:
    """All paths of one batch."""
    longest, found = _longest(skips, settings), {}
    if 1 <= settings.weights_of <= len(skips):
        # Before the rest, which goes on where this ends.
        found["weights"] = _columns(weight_gradient(point, settings.weights_of, longest))
    found["exact"] = _columns(exact(point, longest, settings.target))
    found["modules"] = share_by_module(point)
    return found


def _columns(by_length):
    return by_length.lengths, by_length.log10_norms[:, None], by_length.shares[:, None]


def _sampled(point, skips: list[bool], settings: Settings, index: int) -> tuple:
    """This batch's part of the sampled paths."""
    lengths = np.arange(skips.count(False), _longest(skips, settings) + 1)
    count = -(-settings.samples // settings.batches)
    drawn = [draw_paths(skips, int(k), count, settings.seed, index) for k in lengths]
    found = sampled(point, np.concatenate(drawn), settings.target)
    shape = len(lengths), count
    return lengths, found.log10_norms.reshape(shape), found.shares.reshape(shape)
