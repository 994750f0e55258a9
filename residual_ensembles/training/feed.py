"""Inputs of the train step: a function of the step, so that a resumed run repeats nothing."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np

from residual_ensembles import data
from residual_ensembles.arguments import checked, require_integer
from residual_ensembles.training.gating import Gating

# One permutation of all images serves the steps of an epoch.
_order = functools.lru_cache(maxsize=2)(data.order)


@checked
@dataclass(frozen=True)
class Feed:
    """The training split in batches.

    Images that fit in memory stay on the device, and a batch has their indices, shifts and flips;
    otherwise the batch holds the images.

    Args:
        split: The training split of prepared data.
        augmentation: Augmentation of its images.
        batch_size: Images in a step; the last, smaller batch of an epoch is dropped.
        seed: Seed of order, augmentation and gates.
        gating: Gating of the modules.

    Raises:
        TypeError: An argument is of the wrong kind.
        ValueError: There are fewer images than one batch.
    """

    split: data.Split
    augmentation: data.Augmentation
    batch_size: int
    seed: int
    gating: Gating

    def __post_init__(self):
        require_integer("batch_size", self.batch_size, 1)
        require_integer("seed", self.seed)
        if len(self.split) < self.batch_size:
            raise ValueError(
                f"Received batch_size={self.batch_size} for {len(self.split)} training images, "
                f"expected at most {len(self.split)}."
            )

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one pass over the images."""
        return len(self.split) // self.batch_size

    @property
    def on_device(self) -> bool:
        """Whether the images stay on the device and are augmented there."""
        return self.split.array is not None and self.augmentation.kind == "pad_crop"

    def batch(self, step: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Returns the inputs of a step, counted from 0 over all epochs, and the labels.

        Returns:
            A dictionary with "gates" `(n_modules,)` where modules are gated, and either
            "index", "top", "left" and "flip", each `(batch,)`, or "images"
            `(batch, height, width, channels)`; labels `(batch,)`.
        """
        epoch, within = divmod(step, self.steps_per_epoch)
        epoch += 1  # epochs count from 1
        order = _order(self.seed, epoch, len(self.split))
        index = order[within * self.batch_size : (within + 1) * self.batch_size]
        if self.on_device:
            drawn = data.draw_augmentation(self.augmentation, self.seed, epoch, index)
            inputs = {"index": index.astype("int32"), **drawn}
        else:
            inputs = {"images": self.split.augmented(index, self.seed, epoch)}
        gates = self.gating.draw(self.seed, step)
        if gates is not None:
            inputs["gates"] = gates
        return inputs, self.split.labels[index]

    def stream(self, first: int, last: int) -> Iterator:
        """Yields the batches of the steps from `first` to before `last`."""
        for step in range(first, last):
            yield self.batch(step)


@checked
class EvaluationBatches(keras.utils.PyDataset):
    """A split in order, every image once, the last batch smaller.

    Args:
        split: A split of prepared data.
        batch_size: Images in a batch.
    """

    def __init__(self, split: data.Split, batch_size: int):
        super().__init__()
        require_integer("batch_size", batch_size, 1)
        self.split = split
        self.batch_size = batch_size

    def __len__(self):
        return -(-len(self.split) // self.batch_size)

    def __getitem__(self, i):
        index = np.arange(i * self.batch_size, min((i + 1) * self.batch_size, len(self.split)))
        return {"images": self.split.images(index)}, self.split.labels[index]
