"""The networks by name."""

from residual_ensembles.models import resnet, vgg
from residual_ensembles.models.architectures import n_modules
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.highway import highway
from residual_ensembles.parameters import TRAINING_PRECISIONS

BUILDERS = {
    "resnet": resnet.resnet,
    "resnet_bottleneck": resnet.resnet_bottleneck,
    "vgg": vgg.vgg,
    "highway": highway,
}


def build(
    model,
    depth,
    picture_shape,
    n_classes,
    mean,
    std,
    seed=0,
    survival=None,
    dtype="float32",
    **options,
) -> Chain:
    """Builds a network with fresh weights.

    Args:
        model: "resnet" (CIFAR form), "resnet_bottleneck" (ImageNet form), "vgg" or "highway".
        depth: Layers as the papers count them: 6n + 2; 50, 101, 152 or 200; 15; 6n + 2.
        picture_shape: `(height, width, channels)`.
        n_classes: Number of logits.
        mean: Mean of each channel, 0..255.
        std: Standard deviation of each channel, 0..255.
        seed: Of the initial weights.
        survival: Share of the training batches in which each module runs, 0..1, as a list; None
            for 1 everywhere.
        dtype: "float32" or "mixed_bfloat16" (weights and logits stay float32).
        **options: Of one kind of network: `gate_bias` for "highway".

    Returns:
        A `Chain` that takes pictures in 0..255 and returns logits `(batch, n_classes)`.

    Raises:
        ValueError: An argument that no such network has.
    """
    n = n_modules(model, depth)
    if dtype not in TRAINING_PRECISIONS:
        raise ValueError(
            f"Received dtype={dtype!r}, expected one of {', '.join(TRAINING_PRECISIONS)}."
        )
    survival = [1.0] * n if survival is None else [float(p) for p in survival]
    if len(survival) != n:
        raise ValueError(
            f"Received {len(survival)} survival probabilities for {n} modules, expected {n}."
        )
    return BUILDERS[model](
        depth,
        picture_shape,
        n_classes,
        mean,
        std,
        seed=seed,
        survival=survival,
        dtype=dtype,
        **options,
    )
