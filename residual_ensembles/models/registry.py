"""The networks by name."""

import importlib
from collections.abc import Sequence

# Builders are found by their addresses. They are imported here, too, so that cached results depend
# on the code of their files.
from residual_ensembles.arguments import checked, require_choice, require_integer, shown
from residual_ensembles.models import highway, resnet, vgg  # noqa: F401
from residual_ensembles.models.architectures import TRAINING_PRECISIONS, architecture, n_modules
from residual_ensembles.models.chain import Chain

MAX_CLASSES = 1_000_000
"""Largest number of classes: more than any data set has, and their weights still fit in memory."""


@checked
def build(
    model: str,
    depth: int,
    image_shape: tuple[int, int, int],
    n_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    seed: int = 0,
    survival: Sequence[float] | None = None,
    dtype: str = "float32",
    **options: float,
) -> Chain:
    """Builds a network with initial weights.

    Args:
        model: "resnet" (CIFAR form), "resnet_bottleneck" (ImageNet form), "vgg", "highway", or
            another one of `ARCHITECTURES`.
        depth: Layers as the papers count them: 6n + 2; 50, 101, 152 or 200; 15; 6n + 2.
        image_shape: `(height, width, channels)`.
        n_classes: Number of logits.
        mean: Mean of each channel, 0..255.
        std: Standard deviation of each channel, 0..255.
        seed: Seed of the initial weights.
        survival: Share of the training batches in which each module runs, 0..1, as a list; None
            for 1 everywhere.
        dtype: "float32" or "mixed_bfloat16" (weights and logits stay float32).
        **options: Options of one kind of network: `gate_bias` for "highway".

    Returns:
        A `Chain` that takes images in 0..255 and returns logits `(batch, n_classes)`.

    Raises:
        ValueError: There is no such network, or it has no such argument.

    Example:
        >>> from residual_ensembles import models
        >>> chain = models.build("resnet", 14, (8, 8, 1), 10, mean=[127.0], std=[64.0])
        >>> len(chain.modules), chain.downsampling
        (6, (3, 5))
    """
    n = n_modules(model, depth)
    n_classes = require_integer("n_classes", n_classes, 1, MAX_CLASSES)
    require_choice("dtype", dtype, TRAINING_PRECISIONS)
    for name, values in (("mean", mean), ("std", std)):
        if len(values) != image_shape[-1]:
            raise ValueError(
                f"Received {name}={shown(values)} for images of shape {image_shape}, expected a "
                f"number for each of {image_shape[-1]} channels."
            )
    survival = [1.0] * n if survival is None else [float(p) for p in survival]
    if len(survival) != n:
        raise ValueError(
            f"Received {len(survival)} survival probabilities for {n} modules, expected {n}."
        )
    module, _, name = architecture(model).builder.partition(":")
    return getattr(importlib.import_module(module), name)(
        depth,
        image_shape,
        n_classes,
        mean,
        std,
        seed=seed,
        survival=survival,
        dtype=dtype,
        **options,
    )
