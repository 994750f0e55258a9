"""What is known of the networks by name and depth, without building one and without Keras."""

from residual_ensembles.parameters import MODELS

FAMILIES = {"resnet": "ResNet", "resnet_bottleneck": "ResNet", "highway": "Highway", "vgg": "VGG"}
"""What people call the networks that are trained here."""
EXTERNAL = UNRAVELED, UNRAVELED_PLAIN = "unravelled", "unravelled_plain"
"""What one that is brought along is called where its kind stands: all its modules have a skip, or
some have none."""
RESIDUAL = ("resnet", "resnet_bottleneck", UNRAVELED)
"""Kinds whose modules are all added to a skip, without gates of their own."""

# He et al. 2016a, section 4.2: three stages of n modules each, 6n + 2 layers.
SMALL_WIDTHS = (16, 32, 64)
# He et al. 2016a, table 1, and 2016b, appendix: four stages, a quarter of the width within.
BOTTLENECK_WIDTHS = (256, 512, 1024, 2048)
BOTTLENECK_DEPTHS = {
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
VGG_DEPTH = 15
# The convolutions after which VGG-16 pools are 2, 4, 7, 10 and 13 (Simonyan & Zisserman 2015,
# table 1, D); the first is the stem, so the modules are one less.
POOLED_MODULES = (1, 3, 6, 9, 12)
# A pooling is left out where it would leave less than this, in pixels.
SMALLEST_SIDE = 2


def n_modules(model: str, depth: int) -> int:
    """Returns how many modules a network has, without building it.

    Args:
        model: "resnet", "resnet_bottleneck", "vgg" or "highway".
        depth: Layers as the papers count them.

    Raises:
        ValueError: There is no such network, or not with that depth.
    """
    if model not in MODELS:
        raise ValueError(f"Received model={model!r}, expected one of {', '.join(MODELS)}.")
    if model == "resnet_bottleneck":
        return sum(bottleneck_modules_per_stage(depth))
    if model == "vgg":
        if depth != VGG_DEPTH:
            raise ValueError(f"Received depth={depth} for model=vgg, expected {VGG_DEPTH}.")
        return VGG_DEPTH - 3  # the first convolution and two dense layers cannot be deleted
    return sum(small_modules_per_stage(depth))


def lesionable(model: str, depth: int, side: int | None = None) -> int:
    """Returns how many modules are left to delete where the ones that matter most are spared.

    Spared are the first module and those that change the shape, as in the authors' own data: three
    of 54 in ResNet-110, the first of each stage of the ImageNet form, and those of VGG-15 that
    pool, of which there are fewer for small pictures.

    Args:
        model: As for `n_modules`.
        depth: Layers as the papers count them.
        side: Pixels of the shorter side of the pictures; None where it is not known, and as many
            modules may pool as ever do.

    Raises:
        ValueError: There is no such network, or not with that depth.
    """
    spared = {
        "resnet": len(SMALL_WIDTHS),
        "highway": len(SMALL_WIDTHS),
        "resnet_bottleneck": len(BOTTLENECK_WIDTHS),
        "vgg": len({1, *(POOLED_MODULES if side is None else pooled_modules(side))}),
    }
    return n_modules(model, depth) - spared[model]


def pooled_modules(side: int) -> list[int]:
    """Returns the numbers of VGG's modules that end in a pooling, for pictures of `side` pixels."""
    numbers = []
    for number in POOLED_MODULES:
        if side // 2 < SMALLEST_SIDE:
            break
        side //= 2
        numbers.append(number)
    return numbers


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
    return min(small_modules_per_stage(depth)) > 2


def small_modules_per_stage(depth: int) -> tuple[int, int, int]:
    """Returns the modules of each stage of the CIFAR form.

    Raises:
        ValueError: `depth` is not 6n + 2 with n of at least 1.
    """
    if depth < 8 or (depth - 2) % 6:
        below = max(8, depth - (depth - 2) % 6)
        raise ValueError(
            f"Received depth={depth} for model=resnet, expected 6n + 2 (8, 14, 20, …, 110, …), "
            f"for instance {below} or {below + 6}."
        )
    return ((depth - 2) // 6,) * 3


def bottleneck_modules_per_stage(depth: int) -> tuple[int, int, int, int]:
    """Returns the modules of each stage of the ImageNet form.

    Raises:
        ValueError: There is no such depth.
    """
    if depth not in BOTTLENECK_DEPTHS:
        raise ValueError(
            f"Received depth={depth} for model=resnet_bottleneck, expected one of "
            f"{', '.join(map(str, BOTTLENECK_DEPTHS))}."
        )
    return BOTTLENECK_DEPTHS[depth]
