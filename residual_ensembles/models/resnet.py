"""Pre-activation residual networks (He et al. 2016b), as the paper trains them (section 4)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from residual_ensembles.models import stem_head
from residual_ensembles.models.architectures import (
    BOTTLENECK_WIDTHS,
    SMALL_WIDTHS,
    bottleneck_modules_per_stage,
    small_modules_per_stage,
)
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.convolution import projection
from residual_ensembles.models.module import Module
from residual_ensembles.models.preactivation import Preactivation


@dataclass(frozen=True)
class Place:
    """Position of a module in a ResNet: its address, and the changes of width and resolution
    there."""

    name: str
    filters: int
    strides: int
    projects: bool


def places(
    modules_per_stage: Sequence[int], widths: Sequence[int], stem_filters: int
) -> list[Place]:
    """Returns the places of all modules; the first of a stage changes width and halves the image.

    In the first stage nothing is halved, and the width changes only where the stem has another.
    """
    result, previous = [], stem_filters
    for stage, (n, filters) in enumerate(zip(modules_per_stage, widths, strict=True), start=1):
        for block in range(1, n + 1):
            first = block == 1
            strides = 2 if first and stage > 1 else 1
            projects = first and (strides > 1 or filters != previous)
            result.append(Place(f"stage{stage}_block{block}", filters, strides, projects))
        previous = filters
    return result


def shortcut_at(place: Place, seed: int, dtype: Any):
    """Returns the projection of a module at `place`, or None where the skip is the identity."""
    if not place.projects:
        return None
    name = f"{place.name}_projection"
    return projection(place.filters, place.strides, seed, name, dtype)


def basic_transform(place: Place, seed: int, dtype: Any) -> Preactivation:
    """Returns f of a CIFAR module: two 3×3 convolutions (equation 2)."""
    table = [(3, place.filters, place.strides), (3, place.filters, 1)]
    return Preactivation(table, seed=seed, name=place.name, dtype=dtype)


def bottleneck_transform(place: Place, seed: int, dtype: Any) -> Preactivation:
    """Returns f of an ImageNet module: 1×1, 3×3, 1×1 convolutions."""
    narrow = place.filters // 4
    table = [(1, narrow, 1), (3, narrow, place.strides), (1, place.filters, 1)]
    return Preactivation(table, seed=seed, name=place.name, dtype=dtype)


def residual_modules(
    result: Sequence[Place], transform: Callable, survival: Sequence[float], seed: int, dtype: Any
) -> list[Module]:
    """Returns one residual module for each place."""
    return [
        Module(
            transform(place, seed, dtype),
            shortcut_at(place, seed, dtype),
            survival_probability=probability,
            name=f"{place.name}_module",
            dtype=dtype,
        )
        for place, probability in zip(result, survival, strict=True)
    ]


def resnet(
    depth: int,
    image_shape: tuple[int, ...],
    n_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    seed: int,
    survival: Sequence[float],
    dtype: Any,
) -> Chain:
    """Returns the CIFAR form; depth 110 has 54 modules, of which 19 and 37 downsample."""
    result = places(small_modules_per_stage(depth), SMALL_WIDTHS, SMALL_WIDTHS[0])
    return Chain(
        stem_head.small_image_stem(SMALL_WIDTHS[0], mean, std, seed, dtype),
        residual_modules(result, basic_transform, survival, seed, dtype),
        stem_head.pooled_head(n_classes, seed, dtype),
        image_shape,
        name=f"resnet{depth}",
    )


def resnet_bottleneck(
    depth: int,
    image_shape: tuple[int, ...],
    n_classes: int,
    mean: Sequence[float],
    std: Sequence[float],
    *,
    seed: int,
    survival: Sequence[float],
    dtype: Any,
) -> Chain:
    """Returns the ImageNet form; depth 200 has 3 + 24 + 36 + 3 = 66 modules."""
    result = places(bottleneck_modules_per_stage(depth), BOTTLENECK_WIDTHS, 64)
    return Chain(
        stem_head.imagenet_stem(64, mean, std, seed, dtype),
        residual_modules(result, bottleneck_transform, survival, seed, dtype),
        stem_head.pooled_head(n_classes, seed, dtype),
        image_shape,
        name=f"resnet{depth}",
    )
