"""Facts about architectures by name and depth, without building one and without Keras.

A network is added by a function that builds it and a line in `ARCHITECTURES`: training, lesions,
paths, figures and the explorer know it from there. A file of its own is named in `registry`, so
that cached results depend on its code.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

from residual_ensembles.arguments import checked, require_choice, require_integer

EXTERNAL_KINDS = UNRAVELED, UNRAVELED_PLAIN = "unraveled", "unraveled_plain"
"""Kinds of external networks: all modules have a skip, or some have none."""

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
MAX_DEPTH = 100_000
# The convolutions after which VGG-16 pools are 2, 4, 7, 10 and 13 (Simonyan & Zisserman 2015,
# table 1, D); the first is the stem, so the modules are one less.
POOLED_MODULES = (1, 3, 6, 9, 12)
# A pooling is left out where it would leave less than this, in pixels.
SMALLEST_SIDE = 2
LARGEST_SIDE = 2**16
"""Side of images that is large enough for all poolings, in pixels."""

GATE_BIAS = -2.0
"""Srivastava et al. (2015, section 2.2) start with the gates leaning to the skip, the more so the
deeper the network: −1 to −4 in their experiments."""
TrainingPrecision = Literal["float32", "mixed_bfloat16"]
TRAINING_PRECISIONS = get_args(TrainingPrecision)


def pooled_modules(side: int) -> list[int]:
    """Returns the numbers of VGG's modules that end in a pooling, for images of `side` pixels."""
    numbers = []
    for number in POOLED_MODULES:
        if side // 2 < SMALLEST_SIDE:
            break
        side //= 2
        numbers.append(number)
    return numbers


def small_modules_per_stage(depth: int) -> tuple[int, int, int]:
    """Returns the modules of each stage of the CIFAR form."""
    if depth < 8 or (depth - 2) % 6:
        below = max(8, depth - (depth - 2) % 6)
        raise ValueError(
            f"Received depth={depth} for model=resnet, expected 6n + 2 (8, 14, 20, …, 110, …), "
            f"for instance {below} or {below + 6}."
        )
    return ((depth - 2) // 6,) * 3


def bottleneck_modules_per_stage(depth: int) -> tuple[int, int, int, int]:
    """Returns the modules of each stage of the ImageNet form."""
    if depth not in BOTTLENECK_DEPTHS:
        raise ValueError(
            f"Received depth={depth} for model=resnet_bottleneck, expected one of "
            f"{', '.join(map(str, BOTTLENECK_DEPTHS))}."
        )
    return BOTTLENECK_DEPTHS[depth]


def vgg_modules_per_stage(depth: int) -> tuple[int]:
    """Returns the modules of VGG-15: a first convolution and two dense layers cannot be deleted."""
    if depth != VGG_DEPTH:
        raise ValueError(f"Received depth={depth} for model=vgg, expected {VGG_DEPTH}.")
    return (VGG_DEPTH - 3,)


class Architecture(NamedTuple):
    """Facts about a kind of network that are known without building one."""

    title: str
    """Display name of its family."""
    builder: str
    """`module:function` of its builder: see `registry.build` for the arguments."""
    modules_per_stage: Callable[[int], tuple[int, ...]]
    """Maps the depth, in layers as its paper counts them, to the modules of each stage; raises a
    ValueError where there is no such depth. The first module of each stage may downsample."""
    has_skips: bool = True
    has_gates: bool = False
    """Whether its modules have gates of their own, as highway modules do."""
    options: tuple[str, ...] = ()
    """Parameters that only this kind has; the builder takes them by name."""
    critical: Callable[[int], set[int]] | None = None
    """Maps the shorter side of the images, in pixels, to its critical modules, from 1; None for the
    first of each stage."""


ARCHITECTURES = {
    "resnet": Architecture(
        "ResNet", "residual_ensembles.models.resnet:resnet", small_modules_per_stage
    ),
    "resnet_bottleneck": Architecture(
        "ResNet",
        "residual_ensembles.models.resnet:resnet_bottleneck",
        bottleneck_modules_per_stage,
    ),
    "vgg": Architecture(
        "VGG",
        "residual_ensembles.models.vgg:vgg",
        vgg_modules_per_stage,
        has_skips=False,
        critical=lambda side: {1, *pooled_modules(side)},
    ),
    "highway": Architecture(
        "Highway",
        "residual_ensembles.models.highway:highway",
        small_modules_per_stage,
        has_gates=True,
        options=("gate_bias",),
    ),
}
"""The networks that can be trained, by name."""


def architecture(model: str) -> Architecture:
    """Returns an architecture by its name; a ValueError where there is none of that name."""
    return ARCHITECTURES[require_choice("model", model, tuple(ARCHITECTURES))]


def family(model: str) -> str | None:
    """Returns the display name of a kind's family; None for a kind that is not trained here."""
    return ARCHITECTURES[model].title if model in ARCHITECTURES else None


def residual_kinds() -> tuple[str, ...]:
    """Returns the kinds whose modules are all added to a skip, without gates of their own."""
    own = (name for name, each in ARCHITECTURES.items() if each.has_skips and not each.has_gates)
    return *own, UNRAVELED


@checked
def n_modules(model: str, depth: int) -> int:
    """Returns how many modules a network has, without building it.

    Args:
        model: One of `ARCHITECTURES`.
        depth: Layers as the papers count them.

    Raises:
        ValueError: There is no such network, or not with that depth.

    Example:
        >>> n_modules("resnet", 110)
        54
    """
    stages = architecture(model).modules_per_stage
    return sum(stages(require_integer("depth", depth, 1, MAX_DEPTH)))


@checked
def n_noncritical_modules(model: str, depth: int, side: int | None = None) -> int:
    """Returns the number of modules that can be deleted and are not critical.

    Critical are the first module and those that change the shape, as in the authors' own data:
    three of 54 in ResNet-110, the first of each stage of the ImageNet form, and those of VGG-15
    that pool, of which there are fewer for small images.

    Args:
        model: One of `ARCHITECTURES`.
        depth: Layers as the papers count them.
        side: Shorter side of the images, in pixels; None for images that are large enough for all
            poolings.

    Raises:
        ValueError: There is no such network, or not with that depth.

    Example:
        >>> n_noncritical_modules("resnet", 110), n_noncritical_modules("vgg", 15, side=8)
        (51, 10)
    """
    known = architecture(model)
    stages = known.modules_per_stage(depth)
    if known.critical is None:
        return sum(stages) - len(stages)
    return sum(stages) - len(known.critical(LARGEST_SIDE if side is None else side))


@checked
def is_reorderable(model: str, depth: int) -> bool:
    """Returns whether there are two modules that can change places and are not critical.

    A network can be too shallow: a stage of two modules, of which the first is critical, has none.

    Raises:
        ValueError: There is no such network, or not with that depth.

    Example:
        >>> is_reorderable("resnet", 14), is_reorderable("resnet", 20)
        (False, True)
    """
    return any(n > 2 for n in architecture(model).modules_per_stage(depth))
