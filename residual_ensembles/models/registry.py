"""The networks by name."""

from residual_ensembles.models import resnet, vgg
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.highway import highway

BUILDERS = {
    "resnet": resnet.resnet,
    "resnet_bottleneck": resnet.resnet_bottleneck,
    "vgg": vgg.vgg,
    "highway": highway,
}
DTYPES = ("float32", "mixed_bfloat16")


def n_modules(model: str, depth: int) -> int:
    """Returns how many modules a network has, without building it.

    Args:
        model: "resnet", "resnet_bottleneck", "vgg" or "highway".
        depth: Layers as the papers count them.

    Raises:
        ValueError: There is no such network, or not with that depth.
    """
    if model not in BUILDERS:
        raise ValueError(f"Received model={model!r}, expected one of {', '.join(BUILDERS)}.")
    if model == "resnet_bottleneck":
        return sum(resnet.bottleneck_modules_per_stage(depth))
    if model == "vgg":
        if depth != vgg.DEPTH:
            raise ValueError(f"Received depth={depth} for model=vgg, expected {vgg.DEPTH}.")
        return vgg.DEPTH - 3  # the first convolution and two dense layers cannot be deleted
    return sum(resnet.small_modules_per_stage(depth))


def lesionable(model: str, depth: int) -> int:
    """Returns how many modules are left to delete where the ones that matter most are spared.

    Spared are the first module and those that change the shape, as in the authors' own data: three
    of 54 in ResNet-110, the first of each stage of the ImageNet form, and at most five of VGG-15.

    Raises:
        ValueError: There is no such network, or not with that depth.
    """
    spared = {
        "resnet": len(resnet.SMALL_WIDTHS),
        "highway": len(resnet.SMALL_WIDTHS),
        "resnet_bottleneck": len(resnet.BOTTLENECK_WIDTHS),
        "vgg": len(vgg.POOLED_MODULES),
    }
    return n_modules(model, depth) - spared[model]


def is_reorderable(model: str, depth: int) -> bool:
    """Returns whether two modules can change places where the ones that matter most are spared.

    Only in the CIFAR form can a network be too shallow: with one module of a stage, or two of which
    the first is spared, there is nothing to exchange.

    Raises:
        ValueError: There is no such network, or not with that depth.
    """
    n_modules(model, depth)
    if model not in ("resnet", "highway"):
        return True
    return min(resnet.small_modules_per_stage(depth)) > 2


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
    if dtype not in DTYPES:
        raise ValueError(f"Received dtype={dtype!r}, expected one of {', '.join(DTYPES)}.")
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
